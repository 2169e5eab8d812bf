// SPDX-License-Identifier: Apache-2.0

import AgentPackages
import EpitopeModel
import Foundation
import SecureChannel
import TestSupport
import Testing

/// What an operator can give a center to hand out.
@Suite struct AgentPackageTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// A folder `usr/bin` with programs that say a version.
    private func programs(_ version: String, agent: String? = nil, at place: String = "root/usr/bin") throws -> String {
        let path = try folder.makeFolder(place)
        let program = try Data(contentsOf: URL(filePath: "/bin/true"))
        for (name, version) in [("epitope", version), ("epitope-agent", agent ?? version)] {
            // As a compiler leaves it: the words that begin a mark stand somewhere else, too.
            try (program + Data("epitope-version=\0epitope-version=\(version);\0".utf8)).write(to: URL(filePath: "\(path)/\(name)"))
        }
        return path
    }

    private func refusal(_ path: String) -> String? {
        do {
            _ = try AgentPackage(path: path)
            return nil
        } catch {
            return error.code.rawValue
        }
    }

    private func shell(_ line: String) async throws {
        let run = try await Command.run("/bin/sh", ["-c", "cd \(folder.path) && \(line)"])
        try #require(run.status == 0, "\(run.errors)")
    }

    @Test func `a program is taken with the one beside it`() throws {
        let package = try AgentPackage(path: programs("1.2.3") + "/epitope-agent")
        #expect(package.version == AgentVersion("1.2.3"))
        #expect(package.architecture == .current)
        #expect(package.files.map(\.file.name) == AgentManifest.fileNames)
        #expect(package.files.allSatisfy { $0.file.size == $0.content.count && AgentManifest.isDigest($0.file.sha256) })
    }

    @Test func `packages give the same programs`() async throws {
        let wanted = try AgentPackage(path: programs("1.2.3") + "/epitope").files.map(\.file)
        try await shell("tar czf made.tar.gz -C root . && tar cf made.tar -C root usr")
        try await shell(
            "mkdir root/DEBIAN && printf 'Package: epitope\\nVersion: 1.2.3\\nArchitecture: amd64\\nMaintainer: none <none@example.org>\\nDescription: none\\n' >root/DEBIAN/control && dpkg-deb --build root made.deb"
        )
        for name in ["made.tar.gz", "made.tar", "made.deb"] {
            #expect(try AgentPackage(path: "\(folder.path)/\(name)").files.map(\.file) == wanted, "\(name)")
        }
    }

    @Test func `what is no such package is refused`() async throws {
        let place = try programs("1.2.3")
        #expect(refusal("\(folder.path)/nothing") == "agent-package-unusable")
        #expect(refusal("/bin/true") == "agent-package-unusable", "no epitope beside it")
        #expect(refusal("/etc/passwd") == "agent-package-unusable", "no archive")
        #expect(refusal(try programs("1.2.3", agent: "1.2.4", at: "two") + "/epitope") == "agent-package-unusable", "two versions")
        #expect(refusal(try programs("one", at: "none") + "/epitope") == "agent-package-unusable", "no version")
        // One for another architecture beside one for this.
        var program = try Data(contentsOf: URL(filePath: "\(place)/epitope-agent"))
        program[18] = 0x28
        try program.write(to: URL(filePath: "\(place)/epitope-agent"))
        #expect(refusal("\(place)/epitope") == "agent-package-unusable", "another architecture")
        try FileManager.default.removeItem(atPath: "\(place)/epitope-agent")
        try await shell("tar czf half.tar.gz -C root .")
        #expect(refusal("\(folder.path)/half.tar.gz") == "agent-package-unusable", "half of it")
    }
}
