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

    /// The package as a release has it, of programs that do nothing: built, read by a center, and installed into a folder.
    @Test(
        .enabled(if: access("/usr/bin/rpmbuild", X_OK) == 0 && geteuid() == 0, "needs root and rpmbuild: Scripts/install-dependencies test")
    )
    func `the rpm of a release holds the same programs, with their units, and can be installed`() async throws {
        let place = try programs("1.2.3")
        let wanted = try AgentPackage(path: place + "/epitope").files.map(\.file)
        let build = "\(PackageFolder.path)/Scripts/build-rpm"
        let output = try folder.makeFolder("made")
        let built = try await Command.run(build, [place, output], seconds: 60)
        try #require(built.status == 0 && built.output.contains("RESULT packages=1 version=1.2.3"), "\(built.output)\(built.errors)")
        let name = try #require(FileManager.default.contentsOfDirectory(atPath: output).first)
        #expect(name.hasPrefix("epitope-1.2.3-1.") && name.hasSuffix(".rpm"))
        let package = try AgentPackage(path: "\(output)/\(name)")
        #expect(package.files.map(\.file) == wanted && package.version == AgentVersion("1.2.3") && package.architecture == .current)
        // Its dependencies are Debian's here under other names, and its scripts are this machine's to run.
        try await shell("rpm --root \(folder.path)/installed --dbpath /var/lib/rpm -i --nodeps --noscripts made/\(name)")
        for (file, original) in [
            ("usr/bin/epitope-agent", "\(place)/epitope-agent"),
            ("usr/lib/systemd/system/epitope-relay.service", "\(PackageFolder.path)/Packaging/systemd/epitope-relay.service"),
        ] {
            #expect(FileManager.default.contentsEqual(atPath: "\(folder.path)/installed/\(file)", andPath: original), "\(file)")
        }
        try await shell("rpm --root \(folder.path)/installed --dbpath /var/lib/rpm -e --nodeps --noscripts epitope")
        #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/installed/usr/bin/epitope-agent"))

        // Programs of two versions are no release.
        let mixed = try await Command.run(build, [programs("1.2.3", agent: "1.2.4", at: "mixed"), output], seconds: 60)
        #expect(mixed.status != 0 && mixed.errors.contains("of different versions"), "\(mixed.errors)")
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
