// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// The policy as its owner works with it: looked at, explained, changed while the agent runs.
@Suite(.serialized) struct PolicyTests {
    static func policy(_ text: String, in folder: TemporaryFolder) throws -> String {
        let path = folder.path + "/policy.json"
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        chmod(path, 0o600)
        return path
    }

    @Test func `policy show prints what exclusions stand for`() async throws {
        let folder = try TemporaryFolder()
        let path = try Self.policy(
            """
            {"reportAt": 10, "builtInExclusions": false, "exclusions": [
              {"executable": "/bin/sleep", "evidence": "call-from-memory-file", "reason": "it dreams", "until": "2999-12-31"},
              {"package": "no-such-package", "evidence": "call-from-memory-file", "reason": "it isn't here", "until": "2999-12-31"},
              {"executable": "/nonexist", "evidence": "call-from-memory-file", "reason": "a slip of the pen", "until": "2999-12-31"}
            ]}
            """, in: folder)
        let run = try await Command.run(Command.built("epitope"), ["policy", "show", "--policy", path])
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.output.contains("block at 80 points, report at 10, 3 exclusions and 0 built-in ones"))
        let lines = run.output.split(separator: "\n")
        #expect(lines.contains { $0.hasPrefix("/bin/sleep") && $0.contains("1 target") && $0.hasSuffix("it dreams") })
        #expect(lines.contains { $0.hasPrefix("package no-such-package") && $0.contains("nothing now") })
        #expect(lines.contains { $0.hasPrefix("/nonexist") && $0.contains("nothing now: no such file") })
    }

    @Test func `every reader of a policy names what is wrong with it`() async throws {
        let folder = try TemporaryFolder()
        let path = try Self.policy(#"{"exclusions": [{"package": "p", "reason": "r", "until": "2999-12-31"}]}"#, in: folder)
        for words in [["policy", "show"], ["policy", "check", "1"], ["run", "--state", folder.path + "/state"]] {
            let command = words[0] == "run" ? ["--", "/bin/true"] : []
            let run = try await Command.run(Command.built("epitope"), words + ["--policy", path] + command)
            // A command runs all the same, by the default policy.
            #expect((run.status == 0) == (words[0] == "run"))
            #expect(run.errors.contains("[policy-invalid]"), "\(run.errors)")
            #expect(run.errors.contains("'evidence' is missing"), "\(run.errors)")
        }
    }

    @Test func `policy check explains a running process`() async throws {
        let folder = try TemporaryFolder()
        let path = try Self.policy(
            """
            {"builtInExclusions": false, "exclusions": [
              {"user": "\(getuid())", "evidence": "library-call-from-unbacked-memory", "reason": "it compiles", "until": "2999-12-31"}]}
            """, in: folder)
        let program = """
            import mmap, socket, sys
            code = mmap.mmap(-1, 8192, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ | mmap.PROT_EXEC)
            server = socket.create_server(("127.0.0.1", 0))
            print("ready", flush=True)
            server.accept()
            """
        let python = try RunningProcess(["/usr/bin/env", "python3", "-c", program])
        try await python.line(with: "ready")
        var said = ""
        try await eventually("the wait in accept", seconds: 10) {
            let run = try await Command.run(Command.built("epitope"), ["policy", "check", "--policy", path, "\(python.identifier)"])
            #expect(run.status == 0, "\(run.errors)")
            said = run.output
            return said.contains("accept4")
        }
        let lines = said.split(separator: "\n").map(String.init)
        #expect(lines.contains { $0.contains("r-xp") && $0.contains("anonymous") }, "\(said)")
        #expect(lines.contains { $0.hasPrefix("library-call") && $0.contains("is allowed") && $0.contains("it compiles") })
        #expect(lines.contains { $0.hasPrefix("direct-call") && $0.contains("is denied") })
        #expect(lines.contains { $0.hasPrefix("call-from-memory-file") && $0.contains("is allowed, and reported") })
        #expect(lines.contains { $0.contains("thread") && $0.contains("accept4") && $0.contains("no evidence") })
        // What is called denied is, by the agent, only where the kernel lets it.
        let level = try await Command.run(Command.built("epitope"), ["agent", "--check"]).output
        #expect(said.contains("epitope agent alone denies nothing") == level.hasPrefix("level      tracepoints"))
        #expect(
            try await Command.run(Command.built("epitope"), ["policy", "check", "99999999"]).errors.contains("[process-not-inspectable]"))
    }

    @Test(.enabled(if: geteuid() == 0 && access("/sys/kernel/btf/vmlinux", R_OK) == 0, "needs root and a kernel with type information"))
    func `the agent reads its policy again on SIGHUP`() async throws {
        let folder = try TemporaryFolder()
        let state = try folder.makeFolder("state")
        chmod(state, 0o700)
        let stub = folder.path + "/stub"
        try FileManager.default.copyItem(atPath: Command.built("call-stub"), toPath: stub)
        let hash = try await Command.run("/usr/bin/sha256sum", [stub]).output.prefix(64)
        func exclusion(until: String) -> String {
            """
            {"action": "watch", "exclusions": [{"executable": "\(stub)", "sha256": "\(hash)", "reason": "a test",
              "evidence": "direct-call-from-unbacked-memory", "until": "\(until)"}]}
            """
        }
        let path = try Self.policy(exclusion(until: "2999-12-31"), in: folder)
        let agent = try RunningProcess([Command.built("epitope-agent"), "--state", state, "--policy", path])
        try await eventually("the agent", seconds: 60) { agent.errors.contains("protecting every process") }

        func reports() async throws -> Int {
            let run = try await Command.run(stub, ["direct", "anonymous", "connect", "9"])
            #expect(run.output.contains("expected"))
            try await Task.sleep(for: .milliseconds(500))
            let events = try folder.read("state/events.jsonl")
            return events.split(separator: "\n").count {
                $0.contains("\"event\":\"watched\"") && $0.contains("\"processID\":\(run.processID),")
            }
        }
        #expect(try await reports() == 0)
        _ = try Self.policy("{", in: folder)
        agent.send(SIGHUP)
        try await eventually("the bad policy's refusal", seconds: 10) { agent.errors.contains("the previous one stays in force") }
        #expect(agent.errors.contains("[policy-invalid]"))
        #expect(try await reports() == 0)
        _ = try Self.policy(exclusion(until: "2001-01-01"), in: folder)
        agent.send(SIGHUP)
        try await eventually("the new policy", seconds: 10) { agent.errors.contains("the policy was reloaded") }
        #expect(agent.errors.contains("ended on 2001-01-01"))
        #expect(try await reports() == 1)
        try await agent.end()
    }
}
