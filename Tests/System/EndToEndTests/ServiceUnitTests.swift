// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// Units under systemd itself, on the machine's own kernel: started with the rights that they leave, killed, and stopped. The agent's and
/// the centers' run in machines of their own (MachineTests).
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

    /// The agent is the one for containers: for that which judges every process systemd would have to be the machine's own (MachineTests),
    /// since the kernel names processes by their numbers there.
    @Test func `the keeper that a center installed lives with the rights of its unit, and is started again with its agent`() async throws {
        let unit = "epitope-keeper.service"
        let versions = try await HandedOutVersions()
        let center = try await Center()
        try await center.serve()
        let added = try await center.agents("add", versions.first)
        try #require(added.status == 0, "\(added.errors)")
        let systemd = try await Systemd()
        let log = systemd.folder.path + "/keeper.log"
        func said(_ text: String) -> Int {
            let lines = ((try? String(contentsOfFile: log, encoding: .utf8)) ?? "").split(separator: "\n")
            return lines.count { $0.contains(text) }
        }
        try systemd.set(unit, "StandardOutput=append:\(log)\nStandardError=append:\(log)")
        let made = try await center.command("token", "--host", "web-1", "--center", center.url)
        let line = made.output.trimmingCharacters(in: .whitespacesAndNewlines)
        // A state folder that isn't the usual one: the unit has to let it be written to.
        let state = "/var/lib/other place/host"
        try FileManager.default.createDirectory(atPath: systemd.varLib + "/other place", withIntermediateDirectories: false)
        let options = "--state '\(state)' --interval 1 -- --containers-only --seccomp-listener /run/epitope/seccomp.sock"
        let installed = try await systemd.run(["/bin/sh", "-c", "\(line) \(options)"], seconds: 300)
        try #require(installed.status == 0, "\(installed.output)\(installed.errors)")
        #expect(installed.output.contains("\(unit) runs"))
        let path = "/etc/systemd/system/\(unit)"
        let verified = try await systemd.run(["/usr/bin/systemd-analyze", "verify", path])
        #expect(verified.status == 0 && verified.errors.isEmpty, "\(verified.errors)")

        let protects = "protecting the containers"
        try await systemd.awaitActive(unit)
        try await eventually("the agent protects", seconds: 60) { said(protects) == 1 }
        #expect(try await systemd.status(unit, "NoNewPrivs") == "1")
        // It can start an agent with all that the agent's own unit leaves it.
        func rights(_ text: String) -> Set<Substring> {
            let lines = text.split(separator: "\n").filter { $0.hasPrefix("CapabilityBoundingSet=") }
            return Set(lines.flatMap { $0.split(separator: "=")[1].split(separator: " ") })
        }
        let ofAgent = rights(try String(contentsOfFile: "\(PackageFolder.path)/Packaging/systemd/epitope-agent.service", encoding: .utf8))
        let ofKeeper = rights(try await systemd.run(["/bin/cat", path]).output)
        #expect(ofAgent.count > 4 && ofKeeper == ofAgent)
        let bound = try await systemd.status(unit, "CapBnd")
        #expect(UInt64(bound, radix: 16)?.nonzeroBitCount == ofAgent.count, "\(bound)")

        let first = try await systemd.mainProcess(unit)
        #expect(try await systemd.run(["/bin/kill", "-9", "\(first)"]).status == 0)
        try await systemd.awaitActive(unit, after: first)
        try await eventually("another agent protects", seconds: 60) { said(protects) == 2 }
        let second = try await systemd.mainProcess(unit)
        #expect(try await systemd.control("restart", unit).status == 0)
        try await systemd.awaitActive(unit, after: second)
        try await eventually("a third agent protects", seconds: 60) { said(protects) == 3 }
        #expect(try await systemd.control("stop", unit).status == 0)
        #expect(try await systemd.property(unit, "Result") == "success")
        let left = "cat /sys/fs/cgroup/system.slice/\(unit)/cgroup.procs 2>/dev/null || true"
        #expect(try await systemd.run(["/bin/sh", "-c", left]).output.isEmpty, "nothing of it goes on")
        try await systemd.end()
    }
}
