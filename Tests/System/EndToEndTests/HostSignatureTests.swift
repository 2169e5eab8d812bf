// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import TestSupport
import Testing

/// What a host says of its attack and of its system, as the center shows it.
@Suite(.serialized) struct HostSignatureTests {
    private struct Packet: Decodable {
        struct System: Decodable {
            var kernelBuild: String?
            var lastUpdateMilliseconds: Int64?
            var bootParameters: [String]?
            var libcPackageVersion: String?
        }
        var signature: String?
        var signatureAddress: String?
        var callersAddress: String
        var system: System
    }

    private func shown(_ center: Center, _ packet: String) async throws -> Packet {
        let shown = try await center.command("show", "--json", packet)
        #expect(shown.status == 0, "\(shown.errors)")
        return try JSONDecoder().decode(Packet.self, from: Data(shown.output.utf8))
    }

    private func isHeld(_ bytes: [UInt8], by file: String) throws -> Bool {
        try Data(contentsOf: URL(filePath: file)).range(of: Data(bytes)) != nil
    }

    @Test func `a host's own signature is what no image of the process and no goodware holds where that is asked for`() async throws {
        let (center, host) = try await makeSite()
        let folder = try TemporaryFolder()
        let index = folder.path + "/small.index"
        // What the stub copies into its page stands in its own file; what it says of it, too.
        let program = try Command.built("call-stub")
        let built = try await epitope(["goodware", "build", "/usr/bin/bash", "--output", index])
        try #require(built.status == 0, "\(built.errors)")
        try await host.attack(options: ["--signature-on-host"])
        let usual = try await shown(center, try #require(host.events("sent").last?.packet))
        let window = try #require(usual.signature.flatMap { Hex.decode($0) })
        #expect(usual.signatureAddress == nil && window.count == 32)
        #expect(try isHeld(window, by: program), "the stub's code is in its program")

        let other = try Host("host-2")
        try await other.enroll(at: center)
        let run = try await other.attack(options: ["--signature-on-host", "--host-signature", "unique", "--goodware", index])
        let unique = try await shown(center, try #require(other.events("sent").last?.packet, "\(run.errors)"))
        let chosen = try #require(unique.signature.flatMap { Hex.decode($0) })
        #expect(chosen.count == 32 && unique.signatureAddress != nil)
        #expect(try !isHeld(chosen, by: program) && !isHeld(chosen, by: "/usr/bin/bash"))
        try await eventually("both are weighed") { try await center.events("weighed").count == 2 }

        // An index that can't be used keeps nothing from being blocked, or sent.
        let third = try Host("host-3")
        try await third.enroll(at: center)
        try await third.attack(options: ["--signature-on-host", "--host-signature", "unique", "--goodware", program])
        let fallen = try await shown(center, try #require(third.events("sent").last?.packet))
        #expect(fallen.signatureAddress == nil && fallen.signature == usual.signature)
        let refused = try await host.run("call-stub", ["bench", "1", "9"], options: ["--goodware", index])
        #expect(refused.status == 64 && refused.errors.contains("--host-signature unique"), "\(refused.errors)")
    }

    @Test func `the system's patch level is shown at the center`() async throws {
        let (center, host) = try await makeSite()
        try await host.attack()
        let packet = try #require(host.events("sent").last?.packet)
        let system = try await shown(center, packet).system
        #expect(system.kernelBuild == (try KernelFile.text("/proc/sys/kernel/version")).trimmingCharacters(in: .newlines))
        #expect(system.bootParameters != nil)
        let text = try await center.command("show", packet).output
        #expect(text.contains("system.kernelBuild"))
        if FileManager.default.fileExists(atPath: "/var/lib/dpkg/status") {
            #expect(system.libcPackageVersion != nil && system.lastUpdateMilliseconds != nil)
            #expect(text.contains("system.libcPackageVersion") && text.contains(/system\.lastUpdate +\d{4}-\d\d-\d\d/), "\(text)")
        }
    }
}
