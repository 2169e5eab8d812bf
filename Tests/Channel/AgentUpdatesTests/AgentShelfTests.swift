// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Foundation
import TestSupport
import Testing

@testable import AgentUpdates
@testable import SecureChannel

/// What a host keeps of its center's programs, and which of it can be executed.
@Suite struct AgentShelfTests {
    private let folder: TemporaryFolder
    private let site: Signer
    private let shelf: AgentShelf

    init() throws {
        folder = try TemporaryFolder()
        site = try Signer(in: folder.path)
        shelf = try AgentShelf(folder.path + "/versions")
    }

    private func add(_ version: MadeVersion) async throws {
        try await shelf.add(site.sign(version.manifest), part: version.part)
    }

    private func mode(_ path: String) throws -> UInt32 { try FileStatus(path: "\(shelf.path)/\(path)").permissions & 0o777 }

    @Test func `a program can be executed once it is whole`() async throws {
        let contents = ["epitope": Data(repeating: 7, count: AgentManifest.partBytes + 1), "epitope-agent": Data("agent".utf8)]
        let version = try MadeVersion("1.0.1", number: 11, contents: contents)
        var modes: [UInt32] = []
        try await shelf.add(site.sign(version.manifest)) { (number, file) throws(EpitopeError) in
            if file.name == "epitope", number == 1 { modes = (try? [mode("11.new/epitope")]) ?? [] }
            return try version.part(number, file)
        }
        #expect(modes == [0o600], "nothing can be executed before it is whole")
        #expect(try mode("11/epitope") == 0o500)
        #expect(try FileManager.default.contentsOfDirectory(atPath: shelf.path) == ["11"])
        let opened = try shelf.open("epitope", of: version.manifest)
        #expect(try opened.readWhole(maxBytes: 1 << 24) == Array(contents["epitope"] ?? Data()))
    }

    @Test func `what is not what was signed is refused, and nothing of it stays`() async throws {
        let version = try MadeVersion("1.0.1", number: 11)
        let wrong: [([UInt8]) -> [UInt8]] = [
            { bytes in [bytes[0] ^ 1] + bytes.dropFirst() }, { bytes in Array(bytes.dropLast()) }, { bytes in bytes + [0] }, { _ in [] },
        ]
        for change in wrong {
            let refusal = await code {
                try await shelf.add(site.sign(version.manifest)) { (number, file) throws(EpitopeError) in
                    let part = try version.part(number, file)
                    return file.name == "epitope-agent" ? change(part) : part
                }
            }
            #expect(refusal == "agent-tampered")
            #expect(try FileManager.default.contentsOfDirectory(atPath: shelf.path).isEmpty)
        }
    }

    @Test func `what has changed on the disk is not opened`() async throws {
        let version = try MadeVersion("1.0.1", number: 11)
        try await add(version)
        let path = "\(shelf.path)/11/epitope-agent"
        _ = try shelf.open("epitope-agent", of: version.manifest)
        chmod(path, 0o700)
        try Data("The agent of 1.0.1".utf8).write(to: URL(filePath: path))
        #expect(await code { _ = try shelf.open("epitope-agent", of: version.manifest) } == "agent-tampered")
        // Nor a link to one that is right, nor one that others may write to.
        try FileManager.default.removeItem(atPath: path)
        try Data("the agent of 1.0.1".utf8).write(to: URL(filePath: folder.path + "/right"))
        symlink(folder.path + "/right", path)
        #expect(await code { _ = try shelf.open("epitope-agent", of: version.manifest) } == "agent-tampered")
        unlink(path)
        try Data("the agent of 1.0.1".utf8).write(to: URL(filePath: path))
        chmod(path, 0o700)
        _ = try shelf.open("epitope-agent", of: version.manifest)
        chmod(path, 0o722)
        #expect(await code { _ = try shelf.open("epitope-agent", of: version.manifest) } == "agent-tampered")
    }

    @Test func `an order on the disk counts if it is the one that was accepted`() async throws {
        let version = try MadeVersion("1.0.1", number: 11)
        try await add(version)
        let state = AgentShelf.State(current: 11, manifest: version.manifest)
        try shelf.save(state)
        #expect(try shelf.state() == state)
        #expect(try shelf.manifest(11, in: state) == version.manifest)
        // One that the same authority signed once, put in its place with its programs.
        let other = try MadeVersion("0.9.0", number: 11)
        try Data(site.sign(other.manifest).text.utf8).write(to: URL(filePath: "\(shelf.path)/11/order"))
        #expect(await code { _ = try shelf.manifest(11, in: state) } == "agent-tampered")
    }

    @Test func `a host is installed by its authority's order alone, and not taken back by an earlier one`() async throws {
        let state = try folder.makeFolder("host")
        let stranger = try Signer(in: folder.path, site: "site-2")
        let version = try MadeVersion("1.0.1", number: 11)
        let source = try folder.makeFolder("source")
        for (name, content) in version.contents { try content.write(to: URL(filePath: "\(source)/\(name)")) }
        func install(_ signed: SignedManifest) async -> String? {
            await code {
                _ = try await AgentInstallation.install(signed, from: source, trusted: [site.authority.certificate], inState: state)
            }
        }
        #expect(await install(try stranger.sign(version.manifest)) == "agent-foreign")
        #expect(await install(try site.sign(version.manifest)) == nil)
        #expect(await install(try site.sign(version.manifest)) == nil, "by the same order it is mended")
        #expect(await install(try site.sign(MadeVersion("1.0.2", number: 10, contents: version.contents).manifest)) == "agent-replayed")
        #expect(await install(try site.sign(MadeVersion("1.0.0", number: 12, contents: version.contents).manifest)) == "agent-downgrade")
        #expect(await install(try site.sign(MadeVersion("1.0.2", number: 12).manifest)) == "agent-tampered")
        let kept = try AgentShelf(AgentKeeper.Settings.shelfPath(in: state)).state()
        #expect(kept?.current == 11)
    }
}
