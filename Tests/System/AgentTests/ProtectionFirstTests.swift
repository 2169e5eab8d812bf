// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

extension AgentTests {
    /// Whatever is damaged or full: the agent protects, and says what is wrong.
    @Suite struct ProtectionFirstTests {
        private func attack(_ fixture: AgentFixture) async throws -> pid_t {
            let run = try await Fixtures.run("call-stub", ["direct", "anonymous", "send", "\(Receiver(datagrams: true).port)"])
            return run.processID
        }

        @Test func `an agent whose store, identity and policy are damaged protects, reports, and mends what it can`() async throws {
            let fixture = try await AgentFixture()
            try FileManager.default.createDirectory(atPath: fixture.state + "/local", withIntermediateDirectories: true)
            chmod(fixture.state, 0o700)
            let garbage = Data((0..<8192).map { UInt8(truncatingIfNeeded: $0 &* 151 &+ $0 >> 5) })
            try garbage.write(to: URL(fileURLWithPath: fixture.state + "/host.sqlite"))
            try Data("{".utf8).write(to: URL(fileURLWithPath: fixture.state + "/local/identity.json"))
            let policy = fixture.folder.path + "/policy.json"
            try Data(#"{"actoin": "block"}"#.utf8).write(to: URL(fileURLWithPath: policy))
            chmod(policy, 0o600)

            let agent = try await fixture.agent(["--policy", policy])
            #expect(agent.errors.contains("the default policy is in force [policy-invalid]"), "\(agent.errors)")
            let process = try await attack(fixture)
            try await eventually("the report of \(process)") { !fixture.reported(of: process).isEmpty }
            try await eventually("its packet in a new store") { fixture.events.contains { $0.event == "spooled" } }
            #expect(try Data(contentsOf: URL(fileURLWithPath: fixture.state + "/host.sqlite.damaged")) == garbage)
            var said = ""
            try await eventually("the problems in the status", seconds: 20) {
                let status = try await fixture.status()
                said = status.output
                #expect(status.status == 0)
                return ["problem    policy: ", "problem    store: ", "problem    local center: "].allSatisfy(said.contains)
            }
            #expect(
                said.contains("[policy-invalid]") && said.contains("[host-store-damaged]") && said.contains("[identity-malformed]"),
                "\(said)")

            // The last good policy is in force when the next agent starts.
            try Data(#"{"reportAt": 10}"#.utf8).write(to: URL(fileURLWithPath: policy))
            agent.send(SIGHUP)
            try await eventually("the reload") { agent.errors.contains("the policy was reloaded") }
            try Data("[".utf8).write(to: URL(fileURLWithPath: policy))
            try await agent.end()
            let next = try await fixture.agent(["--policy", policy])
            #expect(next.errors.contains("the last good policy"), "\(next.errors)")
            #expect(next.errors.contains("report at 10"), "\(next.errors)")
            try await next.end()
        }

        @Test func `an agent whose disk is full from the start protects, says so, and reports when there is room`() async throws {
            let fixture = try await AgentFixture()
            try await fixture.shell(
                "mkdir -m 700 \(fixture.state) && mount -t tmpfs -o size=512k,mode=700 epitope-test \(fixture.state)"
                    + " && dd if=/dev/zero of=\(fixture.state)/fill bs=4096 2>/dev/null; true")
            let agent = try await fixture.agent()
            _ = try await attack(fixture)
            // It is in memory until there is room.
            try await eventually("word of the disk", seconds: 20) {
                agent.errors.contains("[disk-full]") || agent.errors.contains("[host-store-unusable]")
            }
            let status = try await fixture.status()
            #expect(status.status == 0 && status.output.contains("process \(agent.identifier)"), "\(status.output)")
            #expect(status.output.contains("problem    "), "\(status.output)")
            try await fixture.shell("rm \(fixture.state)/fill")
            try await eventually("the packet in the store", seconds: 30) {
                try await fixture.shell("cat \(fixture.state)/events.jsonl 2>/dev/null || true").output.contains("\"spooled\"")
            }
            let later = try await fixture.status()
            #expect(later.output.contains("lines of the event log could not be written"), "\(later.output)")
            try await agent.end()
        }

        @Test func `an agent starts, and reports into its spool, while the center is away`() async throws {
            let fixture = try await AgentFixture()
            let agent = try await fixture.agent()
            let process = try await attack(fixture)
            try await eventually("the report of \(process)") { !fixture.reported(of: process).isEmpty }
            try await eventually("what is not enrolled, in the status", seconds: 20) {
                try await fixture.status().output.contains("problem    sending: ")
            }
            try await agent.end()
        }
    }
}
