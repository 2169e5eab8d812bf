// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

extension AgentTests {
    /// What a person meets who ends an agent, looks whether one works, or starts a second.
    @Suite struct EndingTests {
        @Test func `a second agent is refused and both signals end protection`() async throws {
            let place = try await Place()
            #expect(try await place.status().status == 3)
            for signal in [SIGTERM, SIGINT] {
                let agent = try await place.agent()
                try await eventually("its word") { FileManager.default.fileExists(atPath: place.state + "/agent.json") }
                let status = try await place.status()
                #expect(status.status == 0)
                #expect(status.output.contains("process \(agent.identifier)"), "\(status.output)")
                #expect(status.output.contains("dropped 0"))
                #expect(status.output.contains("held in    \(place.pins)"))
                let second = try await place.run()
                #expect(second.status == 1)
                #expect(
                    second.errors.contains("[agent-running]") && second.errors.contains("process \(agent.identifier)"), "\(second.errors)")
                #expect(try await place.run(["--release"]).errors.contains("[agent-running]"))
                #expect(try await agent.end(signal) == 0)
                #expect(try await place.held().isEmpty)
                let after = try await place.status()
                #expect(after.status == 3, "\(after.output)")
            }
        }

        @Test func `release removes what a killed agent left`() async throws {
            let place = try await Place()
            let agent = try await place.agent()
            try await agent.end(SIGKILL)
            #expect(try await place.held().contains { $0.hasPrefix("program-1-") })
            _ = try await Fixtures.run("call-stub", ["direct", "anonymous", "send", "\(Receiver(datagrams: true).port)"])
            let released = try await place.run(["--release"])
            #expect(released.status == 0, "\(released.errors)")
            #expect(released.output.contains("protection is not in force any more; "), "one report at least is lost: \(released.output)")
            #expect(try await place.held().isEmpty)
            #expect(try await place.status().status == 3)
            #expect(try await place.run(["--release"]).output == "nothing was in force\n")
        }

        @Test func `an agent without pins takes its protection along when it ends`() async throws {
            let place = try await Place()
            let agent = try await place.agent(pinned: false)
            try await eventually("its word") { FileManager.default.fileExists(atPath: place.state + "/agent.json") }
            #expect(try await place.status().output.contains("held in    nothing"))
            // There is nothing to leave it in force.
            #expect(try await agent.end(SIGUSR1) == 0)
            #expect(try await place.status().status == 3)
        }

        @Test func `a folder that is on no BPF file system is refused`() async throws {
            let place = try await Place()
            let refused = try await place.run(["--pins", place.folder.path + "/plain"], pinned: false)
            #expect(refused.status == 1)
            #expect(refused.errors.contains("[holding-folder-unusable]") && refused.errors.contains("what to do:"), "\(refused.errors)")
        }

        @Test func `a state folder that others can write is refused`() async throws {
            let place = try await Place()
            try FileManager.default.createDirectory(atPath: place.state, withIntermediateDirectories: false)
            chmod(place.state, 0o777)
            let refused = try await place.run()
            #expect(refused.status == 1)
            #expect(refused.errors.contains("[folder-not-private]") && refused.errors.contains("what to do:"), "\(refused.errors)")
            chmod(place.state, 0o700)
            chown(place.state, 65534, 65534)
            #expect(try await place.run().errors.contains("[folder-not-private]"))
        }
    }
}
