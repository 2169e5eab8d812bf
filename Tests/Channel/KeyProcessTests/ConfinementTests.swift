// SPDX-License-Identifier: Apache-2.0

import CPrivileges
import Foundation
import TestSupport
import Testing

/// What a process can't do any more that gave up its rights as Epitope's do: a small program tries each.
@Suite(.enabled(if: epitope_landlock_version() > 0, "needs a kernel with Landlock"))
struct ConfinementTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func write(_ name: String) throws { try Data("text".utf8).write(to: URL(filePath: "\(folder.path)/\(name)")) }

    /// The error number of each try; 0: it succeeded.
    private func outcomes(_ mode: [String], _ tries: [String]) async throws -> [String: Int32] {
        let run = try await Command.run(Command.built("confined"), mode + ["--"] + tries, seconds: 30)
        try #require(run.status == 0, "\(run.errors)")
        return Dictionary(
            uniqueKeysWithValues: run.output.split(separator: "\n").compactMap { line in
                let words = line.split(separator: " ")
                return words.count == 2 ? Int32(words[1]).map { (String(words[0]), $0) } : nil
            })
    }

    @Test func `a key process opens, connects, starts and reaches nothing`() async throws {
        try write("file")
        let tries = [
            "read:\(folder.path)/file", "write:\(folder.path)/new", "list:/", "socket:inet", "socket:unix", "execute:/bin/true", "fork",
            "signal:\(getpid())", "trace:\(getpid())", "memory:\(getpid())", "map:code", "map:data",
            "link:\(folder.path)/file:\(folder.path)/b",
        ]
        let outcomes = try await outcomes(["signing"], tries)
        #expect(outcomes.count == tries.count)
        #expect(outcomes["map:data"] == 0)
        for (what, failure) in outcomes where what != "map:data" { #expect(failure == EPERM, "\(what)") }
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/new"))
    }

    @Test func `a center reads what lies beneath its paths, new files too, and not the key, by whatever name`() async throws {
        for name in ["state", "state.key", "other"] { _ = try folder.makeFolder(name) }
        for name in ["state/file", "state.key/key", "other/file"] { try write(name) }
        try FileManager.default.createSymbolicLink(atPath: folder.path + "/state/way", withDestinationPath: "../state.key/key")
        let path = folder.path
        let outcomes = try await outcomes(
            ["reading", "\(path)/state", "\(path)/other", "/usr"],
            [
                "read:\(path)/state/file", "write:\(path)/state/new", "read:\(path)/state/new", "move:\(path)/state/new:\(path)/other/new",
                "read:\(path)/other/new", "read:\(path)/state.key/key", "read:\(path)/state/way", "read:\(path)/state/../state.key/key",
                "link:\(path)/state.key/key:\(path)/state/key", "move:\(path)/state.key/key:\(path)/state/key",
                "move:\(path)/state.key:\(path)/state/folder", "mount:\(path)/state.key:\(path)/other", "memory:\(getpid())",
                "trace:\(getpid())", "socket:inet", "fork",
            ])
        let permitted = [
            "read:\(path)/state/file", "write:\(path)/state/new", "read:\(path)/state/new",
            "move:\(path)/state/new:\(path)/other/new", "read:\(path)/other/new", "socket:inet", "fork",
        ]
        #expect(outcomes.count == 16)
        for (what, failure) in outcomes {
            let expected = permitted.contains(what) ? [0] : [EACCES, EPERM, EXDEV]
            #expect(expected.contains(failure), "\(what): \(failure)")
        }
        #expect(try folder.read("state.key/key") == "text")
    }
}
