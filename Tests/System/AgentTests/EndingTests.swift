// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import TestSupport
import Testing

extension AgentTests {
    /// Ending an agent, asking for its status, and starting a second one.
    @Suite struct EndingTests {
        @Test func `a second agent is refused and both signals end protection`() async throws {
            let fixture = try await AgentFixture()
            #expect(try await fixture.status().status == 3)
            for signal in [SIGTERM, SIGINT] {
                let agent = try await fixture.agent()
                try await eventually("its status") { FileManager.default.fileExists(atPath: fixture.state + "/agent.json") }
                let status = try await fixture.status()
                #expect(status.status == 0)
                #expect(status.output.contains("process \(agent.identifier)"), "\(status.output)")
                #expect(status.output.contains("dropped 0"))
                #expect(status.output.contains("pinned at  \(fixture.pins)"))
                let second = try await fixture.run()
                #expect(second.status == 1)
                #expect(
                    second.errors.contains("[agent-running]") && second.errors.contains("process \(agent.identifier)"), "\(second.errors)")
                #expect(try await fixture.run(["--release"]).errors.contains("[agent-running]"))
                #expect(try await agent.end(signal) == 0)
                #expect(try await fixture.pinned().isEmpty)
                let after = try await fixture.status()
                #expect(after.status == 3, "\(after.output)")
            }
        }

        @Test func `both programs print one version`() async throws {
            for program in ["epitope", "epitope-agent"] {
                let run = try await Command.run(Command.built(program), ["--version"])
                #expect(run.status == 0 && run.output == "\(Version.current)\n", "\(program): \(run.output)\(run.errors)")
            }
        }

        @Test func `release removes what a killed agent left`() async throws {
            let fixture = try await AgentFixture()
            let agent = try await fixture.agent()
            try await agent.end(SIGKILL)
            #expect(try await fixture.pinned().contains { $0.hasPrefix("program-1-") })
            _ = try await Fixtures.run("call-stub", ["direct", "anonymous", "send", "\(Receiver(datagrams: true).port)"])
            let released = try await fixture.run(["--release"])
            #expect(released.status == 0, "\(released.errors)")
            #expect(released.output.contains("protection is no longer in force; "), "one report at least is lost: \(released.output)")
            #expect(try await fixture.pinned().isEmpty)
            #expect(try await fixture.status().status == 3)
            #expect(try await fixture.run(["--release"]).output == "nothing was in force\n")
        }

        @Test func `an agent without pins takes its protection along when it ends`() async throws {
            let fixture = try await AgentFixture()
            let agent = try await fixture.agent(pinned: false)
            try await eventually("its status") { FileManager.default.fileExists(atPath: fixture.state + "/agent.json") }
            #expect(try await fixture.status().output.contains("pinned at  nowhere"))
            // Nothing is pinned, so protection can't stay in force.
            #expect(try await agent.end(SIGUSR1) == 0)
            #expect(try await fixture.status().status == 3)
        }

        @Test func `a folder that is on no BPF file system is refused`() async throws {
            let fixture = try await AgentFixture()
            let refused = try await fixture.run(["--pins", fixture.folder.path + "/plain"], pinned: false)
            #expect(refused.status == 1)
            #expect(refused.errors.contains("[pins-folder-unusable]") && refused.errors.contains("what to do:"), "\(refused.errors)")
        }

        @Test func `a state folder that others can write is refused`() async throws {
            let fixture = try await AgentFixture()
            try FileManager.default.createDirectory(atPath: fixture.state, withIntermediateDirectories: false)
            chmod(fixture.state, 0o777)
            let refused = try await fixture.run()
            #expect(refused.status == 1)
            #expect(refused.errors.contains("[folder-not-private]") && refused.errors.contains("what to do:"), "\(refused.errors)")
            chmod(fixture.state, 0o700)
            chown(fixture.state, 65534, 65534)
            #expect(try await fixture.run().errors.contains("[folder-not-private]"))
        }
    }
}
