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

    /// A center that serves, with its port.
    private func serve(_ kind: String, _ state: String, _ more: String..., port: String = "0") async throws -> (RunningProcess, String) {
        let center = try RunningProcess(
            [Command.built("epitope"), kind, "serve", "--state", state, "--listen", "127.0.0.1:\(port)"] + more)
        let line = try await center.line(with: "listening on")
        return (center, String(try #require(line.split(separator: ":").last)))
    }

    @Test(arguments: ["local-center", "global-center"])
    func `a port that is in use is told by its code, and nothing else fails`(_ kind: String) async throws {
        let (first, port) = try await serve("local-center", made("local-center"))
        let state = "\(folder.path)/second"
        #expect(try await epitope(kind, "init", "--state", state, "--name", "example", "--address", "127.0.0.1").status == 0)
        for _ in 0..<3 {
            let second = try await epitope(kind, "serve", "--state", state, "--listen", "127.0.0.1:\(port)")
            #expect(second.status == 1)
            #expect(second.errors.contains("port \(port): the address is already in use [listening-failed]"), "\(second.errors)")
            #expect(second.errors.contains("another program listens there"), "\(second.errors)")
            #expect(!second.errors.contains("Cancellation") && !second.errors.contains("store-failed"), "\(second.errors)")
            let codes = Set(second.errors.matches(of: /\[([a-z]+-[a-z-]+)\]/).map { String($0.1) })
            // On a busy machine the key process may be late: that is true, and not of the port.
            #expect(codes.isSubset(of: ["listening-failed", "key-unavailable"]), "\(second.errors)")
        }
        #expect(try await first.end() == 0)
    }

    /// What `status --json` of a local center has, as far as it is looked at.
    private struct Status: Decodable {
        struct Link: Decodable {
            struct Failure: Decodable { var code: String }

            var isLinked: Bool
            var isServing: Bool
            var center: String?
            var answeredMilliseconds: Int64?
            var failures: [String: Failure]
            var waiting: Int
        }

        var clusters: Int
        var link: Link
    }

    @Test func `the status of a site says how its link to the global center is`() async throws {
        let (world, site) = (try await made("global-center"), try await made("local-center"))
        func status() async throws -> String {
            let shown = try await epitope("local-center", "status", "--state", site)
            #expect(shown.status == 0, "\(shown.errors)")
            return shown.output
        }
        func link() async throws -> Status.Link {
            let shown = try await epitope("local-center", "status", "--state", site, "--json")
            return try JSONDecoder().decode(Status.self, from: Data(shown.output.utf8)).link
        }
        #expect(try await status().contains("not linked (epitope local-center link)"))
        #expect(try await !link().isLinked)
        let (global, port) = try await serve("global-center", world)
        func enrol() async throws {
            let token = try await epitope("global-center", "token", "--state", world, "--site", "example").output
            let linked = try await epitope(
                "local-center", "link", "--state", site, "--center", "https://127.0.0.1:\(port)", "--token",
                token.trimmingCharacters(in: .whitespacesAndNewlines))
            #expect(linked.status == 0, "\(linked.errors)")
        }
        try await enrol()
        let unused = try await status()
        #expect(unused.contains("https://127.0.0.1:\(port), as site example; has not answered yet; nothing waits to be sent"), "\(unused)")
        #expect(unused.contains("this center does not run"), "\(unused)")
        #expect(unused.contains("does not run: what follows is as it was left (epitope local-center serve)"), "\(unused)")
        let (local, _) = try await serve("local-center", site)
        try await eventually("the global center has answered, though it has nothing to send") {
            try await link().answeredMilliseconds != nil
        }
        let inUse = try await status()
        #expect(inUse.contains("answered last at ") && !inUse.contains("does not run") && !inUse.contains("restart it"), "\(inUse)")
        #expect(try await link().failures.isEmpty)

        // Revoked: the poll that is under way is answered once there is something, or the next one.
        #expect(try await epitope("global-center", "revoke", "--state", world, "--site", "example").status == 0)
        #expect(try await local.end() == 0)
        let (again, _) = try await serve("local-center", site)
        try await eventually("the status says that it was revoked") { try await link().failures["subscription"]?.code == "revoked" }
        let refused = try await status()
        #expect(refused.contains("fails since ") && refused.contains("warning: the link to the global center fails:"), "\(refused)")
        #expect(refused.contains("[revoked]") && refused.contains("ask the global center's operator for the reason"), "\(refused)")
        try await Task.sleep(for: .seconds(3))
        let told = again.errors.split(separator: "\n").count { $0.contains("[revoked]") }
        #expect(told == 1, "\(again.errors)")

        // Linked again it is true at once, before anything was sent.
        try await enrol()
        let linked = try await status()
        #expect(!linked.contains("[revoked]"), "\(linked)")
        #expect(try await global.end() == 0, "\(global.errors)")
        #expect(try await again.end() == 0, "\(again.errors)")
    }

    @Test func `a host that enrolled again is revoked no more, by its status at once`() async throws {
        let (center, port) = try await serve("local-center", made("local-center"))
        let state = "\(folder.path)/host"
        func enrol() async throws -> Command {
            let token = try await epitope("local-center", "token", "--state", "\(folder.path)/local-center", "--host", "web-1").output
            return try await epitope(
                "enroll", "--state", state, "--center", "https://127.0.0.1:\(port)", "--token",
                token.trimmingCharacters(in: .whitespacesAndNewlines))
        }
        #expect(try await enrol().status == 0)
        // As a command under Epitope would have noted it just now, by a clock that is ahead of the center's.
        let soon = Date(timeIntervalSinceNow: 5).formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
        let log = try FileHandle(forWritingTo: URL(filePath: "\(state)/events.jsonl"))
        try log.seekToEnd()
        let line = #"{"event":"stopped","time":"\#(soon)","destination":"local","code":"revoked","message":"it was revoked"}"#
        try log.write(contentsOf: Data((line + "\n").utf8))
        try log.close()
        #expect(try await epitope("host", "status", "--state", state).output.contains("[revoked]"))
        #expect(try await enrol().status == 0)
        let status = try await epitope("host", "status", "--state", state)
        #expect(status.status == 0 && !status.output.contains("revoked"), "\(status.output)")
        #expect(try await epitope("host", "events", "--state", state).output.contains("this host was enrolled at the local center"))

        // A token that was taken back is told as that.
        let token = try await epitope("local-center", "token", "--state", "\(folder.path)/local-center", "--host", "web-1").output
        #expect(try await epitope("local-center", "revoke", "--state", "\(folder.path)/local-center", "--host", "web-1").status == 0)
        let late = try await epitope(
            "enroll", "--state", state, "--center", "https://127.0.0.1:\(port)", "--token",
            token.trimmingCharacters(in: .whitespacesAndNewlines))
        #expect(late.status == 1 && late.errors.contains("was revoked at ") && late.errors.contains("[token-revoked]"), "\(late.errors)")
        #expect(try await center.end() == 0, "\(center.errors)")
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
