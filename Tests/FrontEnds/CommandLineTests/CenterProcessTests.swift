// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// A state folder is one serving process's, of its own kind.
@Suite struct CenterProcessTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func epitope(_ arguments: String...) async throws -> Command {
        try await Command.run(Command.built("epitope"), arguments, seconds: 60)
    }

    @Test func `a second process does not serve from the same folder, nor a center of the other kind`() async throws {
        let state = "\(folder.path)/state"
        let settings = "\(folder.path)/settings.json"
        try Data(#"{"requireGoodware": false}"#.utf8).write(to: URL(filePath: settings))
        let made = try await epitope("local-center", "init", "--state", state, "--name", "example", "--address", "127.0.0.1")
        try #require(made.status == 0, "\(made.errors)")
        let serve = ["serve", "--state", state, "--config", settings, "--listen", "127.0.0.1:0"]
        let first = try RunningProcess([Command.built("epitope"), "local-center"] + serve)
        try await first.line(with: "listening on")
        let second = try await Command.run(Command.built("epitope"), ["local-center"] + serve, seconds: 60)
        #expect(second.status != 0 && second.errors.contains("[center-running]"), "\(second.errors)")
        let beside = try await epitope("local-center", "status", "--state", state)
        #expect(beside.status == 0, "commands need no lock: \(beside.errors)")
        #expect(try await first.end() == 0, "\(first.errors)")
        let other = try await Command.run(Command.built("epitope"), ["global-center"] + serve, seconds: 60)
        #expect(other.status != 0 && other.errors.contains("[state-of-another-kind]"), "\(other.errors)")
        let again = try RunningProcess([Command.built("epitope"), "local-center"] + serve)
        try await again.line(with: "listening on")
        #expect(try await again.end() == 0, "\(again.errors)")
    }
}
