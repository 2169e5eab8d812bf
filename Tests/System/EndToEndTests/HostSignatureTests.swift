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
        struct Code: Decodable { var bytes: String }
        struct Extraction: Decodable {}
        var code: Code?
        var extraction: Extraction?
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
        let blind = ["--signature-on-host", "--host-signature", "unique", "--goodware", program]
        try await third.attack(options: blind + ["--extract-at", "host"])
        let fallen = try await shown(center, try #require(third.events("sent").last?.packet))
        #expect(fallen.signatureAddress == nil && fallen.signature == usual.signature)

        // Unless it may leave that to the center, which asks its own goodware.
        let fourth = try Host("host-4")
        try await fourth.enroll(at: center)
        try await fourth.attack(options: blind)
        let left = try await shown(center, try #require(fourth.events("sent").last?.packet))
        #expect(left.signatureAddress != nil && left.code == nil && left.signature == usual.signature)
        #expect(fourth.events("left-to-center").map(\.packet) == fourth.events("sent").map(\.packet))
        let refused = try await host.run("call-stub", ["bench", "1", "9"], options: ["--goodware", index])
        #expect(refused.status == 64 && refused.errors.contains("--host-signature unique"), "\(refused.errors)")
    }

    /// What a host can't extract, the center does: for lack of room, of a right, or since it was told so.
    @Test func `the same attack on hosts that extract and on those that don't is one cluster of one signature`() async throws {
        let center = try await Center()
        try await center.serve(settings: ["maxCode": 256, "snippetSide": 256])
        let hosts = try (1...5).map { try Host("host-\($0)") }
        for host in hosts { try await host.enroll(at: center) }
        try await hosts[0].attack()
        try await hosts[1].attack(options: ["--extract-at", "center"])
        try await hosts[2].attack(options: ["--signature-on-host"])
        try await hosts[3].attack(options: ["--signature-on-host", "--extract-at", "center"])
        // A state folder that nothing can be written into: the file of the store is a folder.
        try FileManager.default.createDirectory(atPath: hosts[4].state + "/host.sqlite", withIntermediateDirectories: false)
        let blocked = try await hosts[4].attack()
        #expect(blocked.errors.contains("is sent from memory"), "\(blocked.errors)")
        let packets = hosts.flatMap { $0.events("sent").compactMap(\.packet) }
        try #require(packets.count == 5)
        try await eventually("all are weighed") { try await center.events("weighed").count == 5 }
        let clustered = try await center.events("clustered")
        #expect(Set(clustered.map(\.detail)).count == 1, "\(clustered)")
        #expect(Set(try await center.events("signed").map { $0.detail.prefix(32) }).count == 1)
        var shown: [Packet] = []
        for packet in packets { shown.append(try await self.shown(center, packet)) }
        // The code of the first is longer than the center stores of what is left to it; the last is an ordinary packet.
        let sizes = shown.map { ($0.code?.bytes.count ?? $0.signature?.count ?? 0) / 2 }
        #expect(sizes[0] == sizes[4] && sizes[1] <= 512 && sizes[1] <= sizes[0] && sizes[2...3] == [32, 32], "\(sizes)")
        #expect(shown[3].signature == shown[2].signature && shown.allSatisfy { $0.extraction == nil })
        let refused = try await hosts[0].run("call-stub", ["bench", "1", "9"], options: ["--extract-at", "elsewhere"])
        #expect(refused.status == 64, "\(refused.errors)")
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
