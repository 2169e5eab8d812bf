// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// Units under systemd itself, on the machine's own kernel: started with the rights that they leave, killed, and stopped. (The agent's and
/// the centers' run in machines of their own: MachineTests.)
@Suite(.serialized, .enabled(if: Systemd.canRun, Systemd.why)) struct ServiceUnitTests {
    @Test func `the relay lives as a user without rights, and hosts report by it, also once it was killed`() async throws {
        let unit = "epitope-relay.service"
        let center = try await Center()
        try await center.serve()
        let systemd = try await Systemd()
        let port = try LoopbackSocket.freePort()
        let log = systemd.folder.path + "/relay.log"
        try systemd.add(
            unit,
            settings:
                "Environment=\"EPITOPE_RELAY=--center \(center.url) --listen 127.0.0.1:\(port)\"\nStandardOutput=append:\(log)\nStandardError=append:\(log)"
        )
        let started = try await systemd.control("start", unit)
        let said = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
        try #require(started.status == 0, "\(started.errors)\(said)")
        // It says itself when it is ready: hosts are let in from then on.
        let host = try Host()
        let enrolled = try await host.enroll(at: center.url, token: try await center.token(host.name), ["--relay", "127.0.0.1:\(port)"])
        try #require(enrolled.status == 0, "\(enrolled.errors)")
        try await host.attack()
        #expect(try await center.events("stored").count == 1)
        for (name, value) in [("CapEff", "0000000000000000"), ("CapBnd", "0000000000000000"), ("NoNewPrivs", "1"), ("Seccomp", "2")] {
            #expect(try await systemd.status(unit, name) == value, "\(name)")
        }
        #expect(try await systemd.status(unit, "Uid").split(separator: "\t").first != "0")

        let first = try await systemd.mainProcess(unit)
        #expect(try await systemd.run(["/bin/kill", "-9", "\(first)"]).status == 0)
        try await systemd.awaitActive(unit, after: first)
        try await host.attacks(1)
        try await eventually("the host reports by the next one", seconds: 60) {
            if host.events("sent").count < 2 { try await host.run("call-stub", ["bench", "1", "9"]) }
            return host.events("sent").count == 2
        }
        let stopped = try await systemd.control("stop", unit)
        #expect(stopped.status == 0)
        #expect(try await systemd.property(unit, "Result") == "success", "it ends by itself when it is told to")
        #expect(try String(contentsOfFile: log, encoding: .utf8).contains("connections passed on"))
        try await systemd.end()
    }

    @Test(.enabled(if: HandoutTests.canLoad, "needs a kernel with type information"))
    func `the keeper that a center installed lives with the rights of its unit, and protection outlasts it`() async throws {
        let unit = "epitope-keeper.service"
        let versions = try await HandedOutVersions()
        let center = try await Center()
        try await center.serve()
        let added = try await center.agents("add", versions.first)
        try #require(added.status == 0, "\(added.errors)")
        let systemd = try await Systemd()
        let made = try await center.command("token", "--host", "web-1", "--center", center.url)
        let line = made.output.trimmingCharacters(in: .whitespacesAndNewlines)
        // A state folder that isn't the usual one: the unit has to let it be written to.
        let state = "/var/lib/other place/host"
        try FileManager.default.createDirectory(atPath: systemd.varLib + "/other place", withIntermediateDirectories: false)
        let installed = try await systemd.run(
            ["/bin/sh", "-c", "\(line) --state '\(state)' --interval 1 -- --action watch --level tracepoints"], seconds: 300)
        try #require(installed.status == 0, "\(installed.output)\(installed.errors)")
        #expect(installed.output.contains("\(unit) runs"))
        let verified = try await systemd.run(["/usr/bin/systemd-analyze", "verify", "/etc/systemd/system/\(unit)"])
        #expect(verified.status == 0 && verified.errors.isEmpty, "\(verified.errors)")

        func pins() async throws -> Bool { try await !systemd.run(["/bin/ls", "/sys/fs/bpf/epitope"]).output.isEmpty }
        func agent() async throws -> Command {
            try await systemd.run(["\(state)/versions/current/epitope", "status", "--state", state])
        }
        try await systemd.awaitActive(unit)
        try await eventually("the agent protects", seconds: 90) { try await agent().status == 0 }
        #expect(try await pins())
        #expect(try await systemd.status(unit, "NoNewPrivs") == "1")
        #expect(try await systemd.status(unit, "CapBnd") == Self.keeperRights)
        // An attack, in the namespaces of systemd or not: the kernel is one.
        let host = systemd.varLib + "/other place/host"
        func reported() -> Int {
            let log = (try? String(contentsOfFile: host + "/events.jsonl", encoding: .utf8)) ?? ""
            return log.split(separator: "\n").count { $0.contains("\"event\":\"watched\"") }
        }
        _ = try await Command.run(Fixtures.path("call-stub"), ["direct", "anonymous", "send", "9999"])
        try await eventually("the attack is reported", seconds: 60) { reported() > 0 }
        try await eventually("the center has it", seconds: 60) { try await center.events("stored").count > 0 }

        let first = try await systemd.mainProcess(unit)
        #expect(try await systemd.run(["/bin/kill", "-9", "\(first)"]).status == 0)
        #expect(try await pins(), "what is in the kernel outlasts the keeper")
        try await systemd.awaitActive(unit, after: first)
        try await eventually("the agent protects again", seconds: 90) { try await agent().status == 0 }
        let second = try await systemd.mainProcess(unit)
        #expect(try await systemd.control("restart", unit).status == 0)
        #expect(try await pins())
        try await systemd.awaitActive(unit, after: second)
        #expect(try await systemd.control("stop", unit).status == 0)
        #expect(try await !pins(), "a stop ends protection")
        #expect(try await systemd.property(unit, "Result") == "success")
        try await systemd.end()
    }

    /// The unit's CapabilityBoundingSet: BPF, PERFMON, SYSLOG, CHECKPOINT_RESTORE, SETPCAP, SYS_PTRACE, DAC_READ_SEARCH, KILL.
    private static let keeperRights = [39, 38, 34, 40, 8, 19, 2, 5].reduce(UInt64(0)) { $0 | 1 << UInt64($1) }.padded
}

extension UInt64 {
    fileprivate var padded: String {
        let text = String(self, radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }
}
