// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import TestSupport
import Testing

/// What a person on a host is told, and can do about it.
@Suite(.serialized) struct HostWordsTests {
    private static let stub = ["direct", "anonymous", "connect", "9"]

    private func run(_ host: Host, _ options: [String] = []) async throws -> Command {
        try await host.run("call-stub", Self.stub, options: options)
    }

    @Test func `a denied call is told in one paragraph, with the command that excludes it`() async throws {
        let host = try Host()
        let told = try await run(host)
        let lines = told.errors.split(separator: "\n")
        #expect(lines.count == 2, "\(told.errors)")
        #expect(lines.first?.hasPrefix("epitope: not enrolled at a local center") == true, "\(told.errors)")
        let paragraph = try #require(lines.last)
        let stub = try Command.built("call-stub")
        #expect(paragraph.hasPrefix("epitope: denied (EPERM): connect to 127.0.0.1:9, by \(stub) (process "), "\(paragraph)")
        #expect(paragraph.contains("(direct-call-from-unbacked-memory, 100 points)"), "\(paragraph)")
        #expect(paragraph.contains("waits in \(host.state): this host is not enrolled (epitope enroll)."), "\(paragraph)")
        let packet = try #require(host.events("packet-made").first?.packet)
        #expect(paragraph.hasSuffix("epitope policy exclude \(packet.prefix(12)) --state \(host.state)"), "\(paragraph)")
        #expect(try await run(host, ["--quiet"]).errors == "")
    }

    @Test func `an enrolled host is told where the packet went, and that nothing is sent twice`() async throws {
        let (center, host) = try await makeSite()
        // On a busy machine the center's answer may come after the paragraph, which says then that the packet is on its way.
        let sent = " was sent to the local center \(center.url). "
        var told = ""
        for _ in 0..<3 where !told.contains(sent) { told = try await run(host).errors }
        #expect(told.contains(sent), "\(told)")
        #expect(
            try await run(host, ["--duplicate-when", "code"]).errors.contains("Nothing is sent: the same was reported before (packet "))
    }

    @Test func `a host whose center is away is told that the packet waits, and where`() async throws {
        let (center, host) = try await makeSite()
        try await center.stop()
        let told = try await run(host).errors
        #expect(
            told.contains(" waits in \(host.state): the local center \(center.url) can't be reached now [center-unreachable]. "), "\(told)")
        #expect(!told.contains("was sent") && !told.contains("on its way"), "\(told)")
    }

    @Test func `watching says neither blocked nor denied`() async throws {
        let host = try Host()
        let told = try await run(host, ["--action", "watch"])
        #expect(told.errors.contains("epitope: watching only"), "\(told.errors)")
        #expect(told.errors.contains("epitope: allowed, and reported: connect to 127.0.0.1:9"), "\(told.errors)")
        let shown = try await epitope(["host", "events", "--state", host.state])
        for text in [told.errors, shown.output] { #expect(!text.contains("blocked") && !text.contains("denied"), "\(text)") }
        #expect(host.events("watched").count == 1 && host.events("blocked").isEmpty)
    }

    /// A protected program shares these streams, and whoever reads them may end.
    @Test(arguments: ["2>&-", "<&- >&- 2>&-", "2>/dev/full", "2>&1 | true", "2> >(sleep 5)"])
    func `calls are denied and stored whatever becomes of the standard streams`(_ streams: String) async throws {
        let folder = try TemporaryFolder()
        let (state, result) = ("\(folder.path)/host", "\(folder.path)/result")
        let stub = try Command.built("call-stub")
        // The reader has ended, or the pipe is full, before the stub runs.
        let fill = """
            import fcntl, os
            fcntl.fcntl(2, fcntl.F_SETFL, fcntl.fcntl(2, fcntl.F_GETFL) | os.O_NONBLOCK)
            while True: os.write(2, b"x")
            """
        let filling = streams.contains("sleep") ? "python3 -c '\(fill)'" : "sleep 0.3"
        let command = "\(filling); \(stub) direct anonymous connect 9 > \(result); exit 3"
        let script = """
            "$1" run --state \(state) -- sh -c "$2" \(streams)
            echo "${PIPESTATUS[0]}" > \(folder.path)/status
            """
        _ = try await Command.run("/bin/bash", ["-c", script, "bash", Command.built("epitope"), command])
        #expect(try String(contentsOfFile: "\(folder.path)/status", encoding: .utf8) == "3\n")
        #expect(try String(contentsOfFile: result, encoding: .utf8).contains("result -1 errno 1\n"))
        let shown = try await epitope(["host", "events", "--state", state])
        #expect(shown.output.contains(" denied: connect to 127.0.0.1:9 by \(stub)"), "\(shown.output)")
    }

    @Test func `a command whose output can't be written says so`() async throws {
        let host = try Host()
        _ = try await run(host)
        let script = "\"$1\" host events --state \(host.state) > /dev/full"
        let failed = try await Command.run("/bin/bash", ["-c", script, "bash", Command.built("epitope")])
        #expect(failed.status == 74 && failed.errors.contains("could not be written: No space left on device"), "\(failed)")
    }

    @Test func `many denied calls are summed up`() async throws {
        let host = try Host()
        let told = try await host.attacks(40, options: ["--packets-per-day", "100"])
        let paragraphs = told.errors.split(separator: "\n").filter { $0.contains("denied (EPERM)") }
        #expect((3...12).contains(paragraphs.count), "\(told.errors)")
        let sums = told.errors.matches(of: #/(\d+) more detections: /#).compactMap { Int($0.1) }
        #expect(paragraphs.count + sums.reduce(0, +) == 40, "\(told.errors)")
    }

    @Test func `the named exclusion lets the call pass, until the program is another one`() async throws {
        let folder = try TemporaryFolder()
        let stub = "\(folder.path)/stub"
        try FileManager.default.copyItem(atPath: Command.built("call-stub"), toPath: stub)
        let state = "\(folder.path)/host", policy = "\(folder.path)/policy.json"
        func run() async throws -> Command {
            let words = FileManager.default.fileExists(atPath: policy) ? ["--policy", policy] : []
            return try await epitope(["run", "--state", state] + words + ["--", stub] + Self.stub)
        }
        #expect(try await run().errors.contains("denied (EPERM)"))
        let exclude = ["policy", "exclude", "last", "--state", state, "--policy", policy]
        expectFailure(try await epitope(exclude), "exclusion-reason-missing")
        expectFailure(try await epitope(exclude + ["--reason", "r", "--until", "30.06.2999"]), "policy-invalid")
        expectFailure(try await epitope(["policy", "exclude", "ffffffffffff", "--state", state, "--reason", "r"]), "event-unknown")
        let dry = try await epitope(exclude + ["--reason", "its code is compiled", "--dry-run"])
        #expect(dry.status == 0 && dry.output.contains("\"executable\": \"\(stub)\", \"sha256\": \""), "\(dry.output)\(dry.errors)")
        #expect(!FileManager.default.fileExists(atPath: policy))

        let written = try await epitope(exclude + ["--reason", "its code is compiled"])
        #expect(written.status == 0 && written.output == dry.output, "\(written.output)\(written.errors)")
        #expect(written.errors.contains("of the detections in the log it would have hidden 1:"), "\(written.errors)")
        #expect(try await epitope(exclude + ["--reason", "its code is compiled"]).errors.contains("has this exclusion already"))
        let allowed = try await run()
        #expect(!allowed.errors.contains("denied") && !allowed.output.contains("errno 1\n"), "\(allowed.output)\(allowed.errors)")

        let file = try FileHandle(forWritingTo: URL(filePath: stub))
        try file.seekToEnd()
        try file.write(contentsOf: Data([0]))
        try file.close()
        let changed = try await run()
        #expect(changed.errors.contains("doesn't apply: the file's SHA-256 is"), "\(changed.errors)")
        #expect(changed.output.contains("errno 1\n"), "\(changed.output)")
    }

    @Test func `an event names the program, its package, the user and the evidence, at a time in ISO form`() async throws {
        let host = try Host()
        _ = try await run(host)
        let shown = try await epitope(["host", "events", "--state", host.state, "--json"])
        let made = try #require(shown.output.split(separator: "\n").first { $0.contains("\"event\":\"packet-made\"") })
        let event = try #require(try JSONSerialization.jsonObject(with: Data(made.utf8)) as? [String: Any])
        #expect(try event["executable"] as? String == Command.built("call-stub"))
        #expect((event["sha256"] as? String)?.count == 64)
        #expect(event["userID"] as? Int == Int(getuid()))
        #expect(event["evidence"] as? [String] == ["direct-call-from-unbacked-memory"])
        #expect(event["target"] as? String == "127.0.0.1:9")
        for key in ["time", "stalledTime"] {
            let time = try #require(event[key] as? String)
            #expect(time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z/) != nil, "\(time)")
        }
        let words = try await epitope(["host", "events", "--state", host.state, "--limit", "1"])
        #expect(words.output.split(separator: "\n").count == 1, "\(words.output)")
    }

    @Test func `events are followed as they come`() async throws {
        let host = try Host()
        _ = try await run(host)
        // The lines of one report and of its sending come in either order.
        let following = try RunningProcess([Command.built("epitope"), "host", "events", "--follow", "--limit", "9", "--state", host.state])
        try await following.line(with: "sending to the local center has stopped")
        _ = try await run(host, ["--duplicate-when", "code"])
        try await following.line(with: "is the same as packet")
        try await following.end()
    }

    @Test func `a state folder that is not there is said to be missing, and is not made`() async throws {
        let folder = try TemporaryFolder()
        let absent = "\(folder.path)/absent"
        for words in [["host", "status"], ["host", "status", "--json"], ["host", "events"], ["policy", "exclude", "last"]] {
            let command = try await epitope(words + ["--state", absent])
            expectFailure(command, "host-state-missing")
            #expect(command.errors.contains("no such folder: \(absent)"), "\(command.errors)")
        }
        #expect(!FileManager.default.fileExists(atPath: absent))
        let empty = try folder.makeFolder("empty")
        #expect(try await epitope(["host", "status", "--state", empty]).status == 0)
        #expect(try FileManager.default.contentsOfDirectory(atPath: empty) == [])
    }

    @Test func `another user's state folder is refused, and doesn't look like a host on which nothing happened`() async throws {
        let host = try Host()
        _ = try await run(host)
        let isRoot = getuid() == 0
        if !isRoot { chmod(host.state, 0) }
        defer { if !isRoot { chmod(host.state, 0o700) } }
        func ask(_ words: [String], _ settings: [String] = []) async throws -> Command {
            let user = isRoot ? ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : []
            return try await Command.run("/usr/bin/env", settings + user + [Command.built("epitope")] + words)
        }
        for words in [["host", "status"], ["host", "events"], ["policy", "exclude", "last"]] {
            expectFailure(try await ask(words + ["--state", host.state]), "host-state-unreadable")
        }
        // An empty XDG_STATE_HOME counts as none.
        let other = try await ask(["host", "status"], ["XDG_STATE_HOME=", "HOME=/nonexistent"])
        #expect(other.errors.contains("no such folder: /nonexistent/.local/state/epitope/host"), "\(other.errors)")
        expectFailure(other, "host-state-missing")
    }

    @Test func `the status says that the host was revoked, and that its folder is open`() async throws {
        let (center, host) = try await makeSite()
        #expect(try await center.command("revoke", "--host", host.name).status == 0)
        _ = try await run(host)
        chmod(host.state, 0o777)
        let status = try await epitope(["host", "status", "--state", host.state])
        #expect(status.output.contains("[revoked]") && status.output.contains("[folder-not-private]"), "\(status.output)")
        let json = try await epitope(["host", "status", "--state", host.state, "--json"])
        let report = try #require(try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
        let centers = try #require(report["centers"] as? [[String: Any]])
        #expect((centers.first { $0["destination"] as? String == "local" }?["problem"] as? [String: Any])?["code"] as? String == "revoked")
        #expect((report["problems"] as? [[String: Any]])?.first?["code"] as? String == "folder-not-private")
        #expect(try await run(host).errors.contains("[folder-not-private]"))
    }

    @Test(arguments: ["--token", "--token-file", "stdin", "stdin-file"]) func `a token is taken from a file or standard input`(
        _ way: String
    ) async throws {
        let center = try await Center()
        try await center.serve()
        let host = try Host()
        _ = try await run(host)
        let token = try await center.token(host.name)
        let folder = try TemporaryFolder()
        try Data("\(token)\n".utf8).write(to: URL(filePath: "\(folder.path)/token"))
        let words = ["enroll", "--state", host.state, "--center", center.url]
        let enrolled: Command
        switch way {
        case "--token": enrolled = try await epitope(words + ["--token", token])
        case "--token-file": enrolled = try await epitope(words + ["--token-file", "\(folder.path)/token"])
        default:
            let option = way == "stdin" ? "--token" : "--token-file"
            let line = ([try Command.built("epitope")] + words + [option, "-"]).joined(separator: " ")
            enrolled = try await Command.run("/bin/sh", ["-c", "\(line) < \(folder.path)/token"])
        }
        #expect(enrolled.status == 0, "\(enrolled.errors)")
        #expect(enrolled.output.contains("1 of 1 packets that waited are sent"), "\(enrolled.output)\(enrolled.errors)")
        #expect(try await center.events("stored").count == 1)
    }

    @Test func `a token that is not given, or not readable, is said so`() async throws {
        let host = try Host()
        let words = ["enroll", "--state", host.state, "--center", "https://127.0.0.1:1"]
        let none = try await epitope(words)
        #expect(none.status == 64 && none.errors.contains("--token-file"), "\(none.errors)")
        #expect(try await epitope(words + ["--token", "a", "--token-file", "b"]).status == 64)
        expectFailure(try await epitope(words + ["--token-file", "/nonexistent"]), "token-unreadable")
        expectFailure(try await epitope(words + ["--token-file", "/dev/null"]), "token-unreadable")
    }

    @Test func `the exit status is the command's own, or says why it was not started`() async throws {
        let host = try Host()
        for (command, status) in [
            (["/bin/sh", "-c", "exit 3"], 3), (["/bin/sh", "-c", "kill -TERM $$"], 143), (["/bin/sh", "-c", "exit 127"], 127),
            (["no-such-command"], 127), (["/nonexistent/program"], 127), (["/etc/passwd"], 126), (["/etc"], 126),
        ] as [([String], Int32)] {
            let run = try await epitope(["run", "--state", host.state, "--"] + command)
            #expect(run.status == status, "\(command): \(run.errors)")
        }
        #expect(try await epitope(["run", "--state", host.state, "--user", "no-such-user", "--", "/bin/true"]).status == 125)
        #expect(try await epitope(["run", "--state", host.state]).status == 64)
    }

    @Test(.enabled(if: getuid() == 0, "root alone can run a command as another user"))
    func `a command that runs as another user can read nothing of the host's`() async throws {
        let (center, host) = try await makeSite()
        let script = """
            id -un; echo $HOME; cat \(host.state)/local/identity.json; cat \(host.state)/host.sqlite; echo > \(host.state)/x; \
            \(try Command.built("call-stub")) direct anonymous connect 9 | tail -1
            """
        let run = try await epitope(["run", "--state", host.state, "--user", "nobody", "--", "/bin/sh", "-c", script])
        #expect(run.output.hasPrefix("nobody\n/nonexistent\n"), "\(run.output)\(run.errors)")
        #expect(run.output.hasSuffix("result -1 errno 1\n"), "\(run.output)\(run.errors)")
        #expect(run.errors.matches(of: /Permission denied/).count == 3, "\(run.errors)")
        #expect(try await center.events("stored").count == 1)
    }

    @Test func `a command's call into another process is denied, told, and in the log`() async throws {
        let host = try Host()
        let other = try RunningProcess(["/bin/sleep", "1000"])
        let denied = try await host.run("reach-stub", ["image", "write", "\(other.identifier)"])
        #expect(denied.output.contains("errno 1\n"), "\(denied.output)")
        #expect(denied.errors.contains("process_vm_writev of process \(other.identifier)"), "\(denied.errors)")
        #expect(denied.errors.contains("--other-processes allow"), "\(denied.errors)")
        #expect(host.events("other-process").count == 1)
        let allowed = try await host.run("reach-stub", ["image", "write", "\(other.identifier)"], options: ["--other-processes", "allow"])
        #expect(
            !allowed.output.contains("errno 1\n") && !allowed.errors.contains("process_vm_writev"), "\(allowed.output)\(allowed.errors)")
    }

    @Test(.enabled(if: getuid() == 0, "root alone can become a user without rights"))
    func `without root a program that closes its memory is denied, unless its user is excluded`() async throws {
        let folder = try TemporaryFolder()
        chmod(folder.path, 0o755)
        let state = try folder.makeFolder("state")
        chown(state, 65534, 65534)
        chmod(state, 0o700)
        let program = """
            import ctypes, socket
            ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
            print("errno", socket.socket().connect_ex(("127.0.0.1", 9)))
            """
        func run(_ options: [String] = []) async throws -> Command {
            try await Command.run(
                "/usr/bin/setpriv",
                ["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", Command.built("epitope"), "run", "--state", state]
                    + options + ["--", "/usr/bin/python3", "-c", program])
        }
        let denied = try await run()
        #expect(denied.output == "errno 1\n", "\(denied.output)\(denied.errors)")
        #expect(denied.errors.contains("connect of thread") && denied.errors.contains("--uninspectable allow"), "\(denied.errors)")
        #expect(try folder.read("state/events.jsonl").contains("\"event\":\"uninspectable\""))

        try Data(
            """
            {"exclusions": [{"user": "65534", "evidence": "uninspectable", "reason": "it holds keys", "until": "2999-12-31"}]}
            """.utf8
        ).write(to: URL(filePath: "\(folder.path)/policy.json"))
        chmod("\(folder.path)/policy.json", 0o644)
        let allowed = try await run(["--policy", "\(folder.path)/policy.json"])
        #expect(allowed.output == "errno 111\n", "\(allowed.output)\(allowed.errors)")
        #expect(!allowed.errors.contains("connect of thread"), "\(allowed.errors)")
    }
}
