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

    private func made(_ kind: String) async throws -> String {
        let state = "\(folder.path)/\(kind)"
        let made = try await epitope(kind, "init", "--state", state, "--name", "example", "--address", "127.0.0.1")
        try #require(made.status == 0, "\(made.errors)")
        return state
    }

    @Test(arguments: [("local-center", "global-center"), ("global-center", "local-center")])
    func `no command takes the folder of a center of the other kind`(_ kind: String, _ other: String) async throws {
        let state = try await made(kind)
        for command in [["status"], ["token", "--host", "web-1"], ["renew"], ["revoke", "--host", "web-1"]] {
            let refused = try await Command.run(
                Command.built("epitope"), [other, command[0], "--state", state] + command.dropFirst(), seconds: 60)
            #expect(refused.status != 0 && refused.errors.contains("[state-of-another-kind]"), "\(command): \(refused.errors)")
        }
        #expect(try await epitope(kind, "status", "--state", state).status == 0)
    }

    @Test func `a center whose store is gone says what it has forgotten`() async throws {
        let state = try await made("local-center")
        #expect(try await !epitope("local-center", "status", "--state", state).errors.contains("empty one is made"))
        for name in try FileManager.default.contentsOfDirectory(atPath: state) where name.hasPrefix("center.sqlite") {
            try FileManager.default.removeItem(atPath: "\(state)/\(name)")
        }
        let status = try await epitope("local-center", "status", "--state", state)
        #expect(status.status == 0 && status.errors.contains("empty one is made"), "\(status.errors)")
    }

    @Test func `what a center can see at its start it says then`() async throws {
        let state = try await made("local-center")
        let (settings, rules) = ("\(folder.path)/settings.json", "\(folder.path)/mine.rules")
        try Data(#"{"requireGoodware": false, "captures": ["\#(folder.path)/none.*"]}"#.utf8).write(to: URL(filePath: settings))
        let mine = "alert tcp any any -> any any (msg:\"mine\"; sid:1;)\n"
        try Data(mine.utf8).write(to: URL(filePath: rules))
        let center = try RunningProcess([
            Command.built("epitope"), "local-center", "serve", "--state", state, "--config", settings, "--listen", "127.0.0.1:0",
            "--suricata-socket", "\(folder.path)/none.sock", "--suricata-rules", rules,
        ])
        try await center.line(with: "listening on")
        try await eventually("what is wrong is in the log") { center.errors.contains("[suricata-absent]") }
        #expect(center.errors.contains("[rules-file-foreign]"), "\(center.errors)")
        #expect(center.errors.contains("there is no capture at '\(folder.path)/none.*' yet"), "\(center.errors)")
        #expect(try await center.end() == 0)
        #expect(try String(contentsOf: URL(filePath: rules), encoding: .utf8) == mine)
    }

    @Test func `a site that is linked while its center runs is told that this one has no link yet`() async throws {
        func state(_ kind: String) async throws -> String {
            let state = "\(folder.path)/\(kind)"
            let made = try await epitope(kind, "init", "--state", state, "--name", "example", "--address", "127.0.0.1")
            try #require(made.status == 0, "\(made.errors)")
            return state
        }
        func serve(_ kind: String, _ state: String) async throws -> (center: RunningProcess, port: String) {
            let center = try RunningProcess([
                Command.built("epitope"), kind, "serve", "--state", state, "--listen", "127.0.0.1:0",
            ])
            let line = try await center.line(with: "listening on")
            return (center, String(try #require(line.split(separator: ":").last)))
        }
        let (world, site) = (try await state("global-center"), try await state("local-center"))
        let (global, port) = try await serve("global-center", world)
        let (local, _) = try await serve("local-center", site)
        func link() async throws -> Command {
            let token = try await epitope("global-center", "token", "--state", world, "--site", "example").output
            return try await epitope(
                "local-center", "link", "--state", site, "--center", "https://127.0.0.1:\(port)", "--token",
                token.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        let first = try await link()
        #expect(first.status == 0, "\(first.errors)")
        #expect(first.output.contains("the center that runs has no link: restart it"), "\(first.output)")
        #expect(try await local.end() == 0, "\(local.errors)")
        let (again, _) = try await serve("local-center", site)
        let second = try await link()
        #expect(second.status == 0 && !second.output.contains("restart"), "it reads the new identity by itself: \(second.output)")
        #expect(try await again.end() == 0, "\(again.errors)")
        #expect(try await global.end() == 0, "\(global.errors)")
    }
}
