// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import PacketCoding
import TestSupport
import Testing

/// Runs every command of Documentation/Cookbook.md, in its order, with the files that it speaks of.
@Suite struct CookbookTests {
    /// A command of the page, and the exit status that it is said to have.
    private struct Recipe {
        var line: String
        var status: Int32

        /// Indented by four blanks; what is said of it stands behind a number sign.
        static func all(in page: String) throws -> [Recipe] {
            try page.split(separator: "\n").filter { $0.hasPrefix("    ") }.map { line in
                let parts = line.split(separator: "  # ", maxSplits: 1)
                let status = parts.count > 1 ? parts[1].firstMatch(of: /exit status (\d)/)?.1 : nil
                return Recipe(
                    line: parts[0].trimmingCharacters(in: .whitespaces), status: try status.map { try #require(Int32($0)) } ?? 0)
            }
        }
    }

    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func write(_ bytes: [UInt8], _ name: String) throws {
        try Data(bytes).write(to: URL(filePath: "\(folder.path)/\(name)"))
    }

    /// Inert bytes that look like code: one system call, right before its end.
    private static let code: [UInt8] =
        [0x48, 0x31, 0xc9, 0x48, 0x81, 0xe9, 0xf6, 0xff, 0xff, 0xff, 0x48, 0x8d, 0x05, 0xef, 0x13, 0x27, 0x45, 0x48, 0xbb, 0x5a]
        + [0x9e, 0x71, 0x3c, 0xd8, 0x64, 0x12, 0xa7, 0x48, 0x31, 0x58, 0x27, 0xb8, 0x2a, 0, 0, 0, 0x0f, 0x05, 0xc3]

    private func prepare(running code: [UInt8]) throws {
        for name in ["packets", "srv", "srv/clean", "srv/suspect"] { _ = try folder.makeFolder(name) }
        var core = CoreFile.sample(.x86_64)
        core.regions[1].bytes.replaceSubrange(0..<Self.code.count, with: Self.code)
        core.threads[0].instruction = 0x40_0000
        try write(core.bytes, "core.4712")
        try write(Self.code + [UInt8](repeating: 0, count: 4000), "region.bin")
        try write([0x6a, 0x29, 0x58, 0x0f, 0x05] + Self.code, "several.bin")
        for (name, id) in [("one", "00112233445566778899aabbccddeeff"), ("two", "10112233445566778899aabbccddeeff")] {
            try write(Samples.packet(id: id).encoded(), "packets/\(name)")
        }
        try write(Array("What this is.\n".utf8), "packets/README.txt")
        let attacks = [code, Samples.code.bytes].map {
            NetworkFrame.ipv4(1, 2, inside: 17, NetworkFrame.udpDatagram(from: 4000, to: 1434, $0))
        }
        let site = NetworkFrame.capture(attacks, link: 101)
        try write(site, "site.pcap")
        try write(
            NetworkFrame.capture([NetworkFrame.ipv4(1, 2, inside: 17, NetworkFrame.udpDatagram(from: 4000, to: 53, [1, 2]))], link: 101),
            "good.pcap")
        try write(Array(site.prefix(24 + 16 + 10)), "cut.pcap")
        try write([UInt8](0...255), "srv/clean/tool")
        try write([0, 1] + code + Samples.code.bytes, "srv/suspect/dropped")
    }

    @Test(.enabled(if: access("/usr/bin/gcore", X_OK) == 0, "gdb is not installed: Scripts/install-dependencies test"))
    func `every command of the cookbook does what it says`() async throws {
        let stub = try RunningProcess([Fixtures.path("call-stub"), "library", "anonymous", "pause", "9"])
        try await stub.line(with: "expected")
        try await eventually("the stub in its call") {
            (try? KernelFile.text("/proc/\(stub.identifier)/syscall"))?.hasPrefix("34 ") == true
        }
        try prepare(running: Announcement(stub.output).code)
        let page = try String(contentsOfFile: "\(PackageFolder.path)/Documentation/Cookbook.md", encoding: .utf8)
        let recipes = try Recipe.all(in: page)
        #expect(recipes.count > 20)
        let programs = try URL(filePath: Command.built("epitope")).deletingLastPathComponent().path
        for recipe in recipes {
            let line = recipe.line.replacing("/srv/", with: "srv/").replacing("4711", with: "\(stub.identifier)")
            let ran = try await Command.run(
                "/bin/bash", ["-c", "cd \"$1\" && export PATH=\"$2:$PATH\" && \(line)", "bash", folder.path, programs])
            #expect(ran.status == recipe.status, "\(line): \(ran.output)\(ran.errors)")
        }
        #expect(stub.hasEnded == false)
    }
}
