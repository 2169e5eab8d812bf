// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
import Foundation
import GRDB
import TestSupport
import Testing

/// What a center hands out: a host's first installation by one command, and updates under attack.
@Suite(.serialized) struct HandoutTests {
    static let canLoad = geteuid() == 0 && access("/sys/kernel/btf/vmlinux", R_OK) == 0

    private struct List: Decodable {
        struct Order: Decodable {
            var version: String
            var state: String
            var reason: String?
        }

        struct Host: Decodable {
            var name: String
            var version: String
            var state: String
            var detail: String
        }

        var orders: [Order]
        var hosts: [Host]
    }

    private func list(_ center: Center) async throws -> List {
        try JSONDecoder().decode(List.self, from: Data(try await center.agents("list", "--json").output.utf8))
    }

    private func command(_ center: Center, _ host: String) async throws -> String {
        let made = try await center.command("token", "--host", host, "--center", center.url)
        try #require(made.status == 0, "\(made.errors)")
        return made.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// A machine without anything of Epitope: the package that is tested lies under an empty disk.
    private static func machine(bpf: String) async throws -> Namespace {
        try await Namespace(["--mount"], setup: "mount -t bpf epitope-test \(bpf) && mount -t tmpfs none \(PackageFolder.path)")
    }

    /// The agent's counts of calls that it judged.
    private func judged(_ state: String, _ pins: String, _ machine: Namespace) async throws -> Int {
        let status = try await machine.run(["\(state)/versions/current/epitope", "status", "--state", state, "--pins", pins]).output
        func count(_ name: String) throws -> Int {
            try #require(
                status.split(separator: "\n").compactMap { $0.split(separator: " ") }.first { $0.first == name[...] }.flatMap { Int($0[1]) }
            )
        }
        return try count("reported") + count("repeated") + count("dropped")
    }

    @Test(.enabled(if: canLoad, "needs root and a kernel with type information"), .timeLimit(.minutes(15)))
    func `a host is installed by one command, and updated and taken back under a call a millisecond: none passes`() async throws {
        let versions = try await HandedOutVersions()
        let center = try await Center()
        try await center.serve()
        let added = try await center.agents("add", versions.first)
        try #require(added.status == 0, "\(added.errors)")

        // The first installation.
        let folder = try TemporaryFolder()
        let (state, pins, bpf) = (folder.path + "/host", folder.path + "/bpf/epitope", try folder.makeFolder("bpf"))
        let machine = try await Self.machine(bpf: bpf)
        let line = try await command(center, "web-1")
        let options = "--state \(state) --interval 1 -- --pins \(pins) --action watch --level tracepoints"
        let words = machine.inside(["/bin/sh", "-c", "\(line) \(options)"])
        let installed = try await Command.run(words[0], Array(words.dropFirst()), seconds: 300)
        defer {
            for pid in [AgentLock.holder(inFolder: state, named: "keeper.lock"), AgentLock.holder(inFolder: state)].compactMap(\.self) {
                kill(pid, SIGKILL)
            }
        }
        try #require(installed.status == 0, "\(installed.output)\(installed.errors)")
        #expect(installed.output.contains("version 0.1.0 is installed"))
        var log: String { (try? String(contentsOfFile: state + "/keeper.log", encoding: .utf8)) ?? "" }
        func agent() -> Int32? { AgentLock.holder(inFolder: state) }
        func isAt(_ version: String, _ what: String = "well") async throws -> Bool {
            let host = try await list(center).hosts.first
            return host?.version == version && host?.state == what
        }
        try await eventually("the first version \(log)", seconds: 90) { try await isAt("0.1.0") && agent() != nil }
        try await eventually("protection: \(log)", seconds: 60) { log.contains("protecting every process") }

        // Calls from here on.
        let receiver = Receiver(datagrams: true)
        let before = try await judged(state, pins, machine)
        let series = try RunningProcess([Fixtures.path("call-series"), "1000000", "1", "\(receiver.port)", "16"])
        var calls: Int { series.output.split(separator: "\n").count }
        try await eventually("calls") { calls > 100 }
        let first = try #require(agent())

        // An update.
        let next = try await center.agents("add", versions.make("0.1.1"))
        try #require(next.status == 0, "\(next.errors)")
        try await eventually("the second version", seconds: 240) { try await isAt("0.1.1") }
        let second = try #require(agent())
        #expect(second != first)
        let keeper = try #require(AgentLock.holder(inFolder: state, named: "keeper.lock"))
        try await eventually("the keeper of the second version") {
            try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(keeper)/exe").hasSuffix("/epitope")
                && log.contains("the keeper goes on in the other version")
        }

        // One that does not come up: the host goes on as it was, and says so; nobody else gets it.
        let sick = try await center.agents("add", versions.make("0.1.2", agent: Data(contentsOf: URL(filePath: "/bin/false"))))
        try #require(sick.status == 0, "\(sick.errors)")
        try await eventually("a host that goes back", seconds: 240) { try await isAt("0.1.1", "returned") }
        #expect(agent() == second, "the one that ran was not touched")
        try await eventually("the end of that order") { try await list(center).orders.last?.state == "stopped" }
        #expect(try await list(center).hosts.first?.detail.contains("[agent-not-well]") == true)

        // A way back, which an operator signs.
        expectFailure(try await center.agents("order", "0.1.0"), "agent-downgrade")
        let back = try await center.agents("order", "0.1.0", "--back")
        try #require(back.status == 0, "\(back.errors)")
        try await eventually("the first version again", seconds: 240) { try await isAt("0.1.0") }
        #expect(agent() != second)

        // Each call was judged, whichever agent ran.
        try #require(!series.hasEnded)
        try await series.end()
        let made = calls
        let counted = try await judged(state, pins, machine) - before
        print("calls made: \(made); judged: \(counted)")
        #expect(counted >= made, "calls passed that no agent judged")
        // Other programs of the machine may add some, and so may two agents at a change.
        #expect(counted < 3 * made)
        #expect(made > 1000)
        for event in ["agent-added", "agent-ordered", "agent-updated", "agent-spread", "agent-returned", "agent-stopped"] {
            #expect(try await !center.events(event).isEmpty, "\(event)")
        }

        // The end of the keeper is the end of protection, when that is asked for.
        let last = try #require(AgentLock.holder(inFolder: state, named: "keeper.lock"))
        kill(last, SIGTERM)
        try await eventually("the end of both", seconds: 60) { AgentLock.holder(inFolder: state) == nil && kill(last, 0) != 0 }
        #expect(try await machine.run(["/bin/sh", "-c", "ls \(pins) 2>/dev/null || true"]).output.isEmpty)

        // An agent that can't run is not well, and the center hears why.
        let bogus = machine.inside([
            "\(state)/versions/current/epitope", "host", "keep", "--state", state, "--interval", "1", "--", "--no-such-option",
        ])
        let mistaken = try RunningProcess(bogus)
        try await eventually("that its agent is not well", seconds: 60) {
            let host = try await list(center).hosts.first
            return host?.state == "refused" && host?.detail.contains("[agent-not-well] the agent is not well on this host: it has") == true
        }
        #expect(try await !center.events("agent-refused").isEmpty)
        try await mistaken.end()
    }

    /// What whoever has taken over a center, or stands between, can send instead: nothing of it is run.
    @Test(.enabled(if: geteuid() == 0, "needs root")) func `the first installation runs nothing that the token's authority did not sign`()
        async throws
    {
        let folder = try TemporaryFolder()
        // Programs that say how they were run.
        let place = try folder.makeFolder("made")
        let program = try Data(contentsOf: URL(filePath: "/bin/echo")) + Data("epitope-version=0.1.0;".utf8)
        for name in ["epitope", "epitope-agent"] { try program.write(to: URL(filePath: "\(place)/\(name)")) }
        let center = try await Center()
        try await center.serve()
        let added = try await center.agents("add", "\(place)/epitope-agent")
        try #require(added.status == 0, "\(added.errors)")
        let line = try await command(center, "web-1")

        func attempt(_ line: String) async throws -> Command {
            try await Command.run("/bin/sh", ["-c", line], environment: ["TMPDIR": folder.path], seconds: 60)
        }
        func wasRun(_ run: Command) -> Bool { run.output.contains("host install --center") }
        func expectRefused(_ line: String, _ code: String, sourceLocation: SourceLocation = #_sourceLocation) async throws {
            let run = try await attempt(line)
            #expect(run.status != 0, sourceLocation: sourceLocation)
            #expect(run.errors.contains("[\(code)]"), "\(run.output)\(run.errors)", sourceLocation: sourceLocation)
            #expect(!wasRun(run), "something was run", sourceLocation: sourceLocation)
        }
        let store = try DatabaseQueue(path: center.state + "/center.sqlite")
        let signed = try #require(try await store.read { try String.fetchOne($0, sql: "SELECT signed FROM agent_orders") })
        func set(_ text: String) async throws {
            try await store.write { try $0.execute(sql: "UPDATE agent_orders SET signed = ?", arguments: [text]) }
        }

        let begin = try #require(signed.range(of: "signature ")).lowerBound
        try await set(String(signed[..<begin]))
        try await expectRefused(line, "agent-unsigned")
        try await set(signed.replacing("version 0.1.0", with: "version 0.9.9").replacing("kind update", with: "kind back"))
        // The center itself takes an order of a version that it doesn't have for none.
        try await store.write { try $0.execute(sql: "UPDATE agent_versions SET version = '0.9.9'") }
        try await expectRefused(line, "agent-signature-wrong")
        try await store.write { try $0.execute(sql: "UPDATE agent_versions SET version = '0.1.0'") }

        // An order of another authority.
        let other = try await Center()
        try await other.serve()
        _ = try await other.agents("add", "\(place)/epitope-agent")
        let foreign = try #require(
            try await DatabaseQueue(path: other.state + "/center.sqlite").read {
                try String.fetchOne($0, sql: "SELECT signed FROM agent_orders")
            })
        try await set(foreign)
        try await expectRefused(line, "agent-unsigned")
        // Under this one's name.
        let names = [signed, foreign].map { $0.split(separator: "\n").last?.split(separator: " ").dropFirst().first.map(String.init) ?? "" }
        try await set(foreign.replacing(names[1], with: names[0]))
        try await expectRefused(line, "agent-signature-wrong")
        try await set(signed)

        // Another center in its place, and another script.
        try await expectRefused(line.replacing(center.url, with: other.url), "authority-mismatch")
        let changed = try await attempt(line.replacing("/v1/install", with: "/v1/authority"))
        #expect(changed.status != 0 && !wasRun(changed))

        // A token that is good no more gets nothing.
        let used = try await command(center, "web-2")
        _ = try await center.command("revoke", "--host", "web-2")
        try await expectRefused(used, "token-revoked")

        // Other programs.
        try await store.write { try $0.execute(sql: "UPDATE agent_parts SET bytes = zeroblob(length(bytes)) WHERE part = 0") }
        try await expectRefused(line, "agent-tampered")

        // All of it is as it was signed: now it is run.
        try await store.write { try $0.execute(sql: "UPDATE agent_parts SET bytes = ?", arguments: [program]) }
        let run = try await attempt(line)
        #expect(run.status == 0 && wasRun(run), "\(run.errors)")
    }
}
