// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import TestSupport
import Testing

extension AgentTests {
    /// One agent after the other, while a process makes a call from unbacked memory every few milliseconds, each from a place
    /// of its own: every one is reported.
    @Suite struct TakeOverTests {
        @Test func `no report is lost between one agent and the next`() async throws {
            let fixture = try await AgentFixture()
            let receiver = Receiver(datagrams: true)
            let first = try await fixture.agent()
            // Ended at the end of the test.
            let series = try RunningProcess([Fixtures.path("call-series"), "1000", "100", "\(receiver.port)"])
            func more(than count: Int) async throws {
                try await eventually("reports by the next agent", seconds: 60) { fixture.reported(of: series.identifier).count > count }
            }
            try await more(than: 10)

            // Replaced while it serves: at any moment exactly one of both judges calls.
            let second = try await fixture.agent(["--replace"])
            #expect(try await eventuallyEnds(first) == 0, "\(first.errors)")
            #expect(try await fixture.pinned().allSatisfy { $0.hasPrefix("map-") || $0.hasPrefix("program-2-") })
            try await more(than: fixture.reported(of: series.identifier).count)

            // Restarted: for a while no agent reads.
            #expect(try await second.end(SIGUSR1) == 0, "\(second.errors)")
            let alone = try await fixture.status()
            #expect(alone.status == 4, "\(alone.output)")
            #expect(alone.output.contains("in force without one since"), "\(alone.output)")
            let third = try await fixture.agent()
            let read = fixture.reported(of: series.identifier)
            #expect(read.count == Set(read).count, "each was reported once, by one agent or the other")
            try await more(than: read.count)

            // Killed.
            #expect(try await third.end(SIGKILL) == 128 + SIGKILL)
            #expect(try await fixture.status().status == 4)
            #expect(!series.hasEnded, "the last change came too late to be one")
            // Its process ID is reused by another process, which must not be taken for an agent.
            let heir = try await runAs(third.identifier, [Fixtures.path("call-stub"), "direct", "anonymous", "send", "\(receiver.port)"])
            let fourth = try await fixture.agent()
            #expect(try await fixture.status().status == 0)
            try await more(than: fixture.reported(of: series.identifier).count)
            try await series.end()
            let calls = series.output.split(separator: "\n").count
            // It may have been killed between a call and its line.
            try? await eventually("all reports", seconds: 60) { Set(fixture.reported(of: series.identifier)).count >= calls }
            #expect((calls...calls + 1).contains(Set(fixture.reported(of: series.identifier)).count))
            if heir { #expect(fixture.reported(of: third.identifier).count == 1) }
            // The report that the killed agent was working on is in the log twice, and in the spool once.
            let packets = fixture.events.filter { $0.event == "spooled" }.compactMap(\.packet)
            #expect(packets.count == Set(packets).count)
            #expect(packets.count >= calls)
            #expect(try await fixture.status().output.contains("dropped 0"))
            #expect(try await fourth.end() == 0)
            #expect(try await fixture.pinned().isEmpty)
        }

        /// Runs a program with a process ID. `false`: this kernel doesn't allow choosing the next one.
        private func runAs(_ number: pid_t, _ words: [String]) async throws -> Bool {
            let next = "/proc/sys/kernel/ns_last_pid"
            guard access(next, W_OK) == 0 else {
                print("the agent's number is not given to another process: this kernel has no \(next)")
                return false
            }
            let loop = """
                for try in $(seq 200); do echo \(number - 1) >\(next); "$@" >/dev/null & [ $! = \(number) ] && wait && exit 0; wait; done; exit 1
                """
            let run = try await Command.run("/bin/sh", ["-c", loop, "sh"] + words, environment: Fixtures.environment)
            try #require(run.status == 0, "other processes always came first")
            return true
        }

        private func eventuallyEnds(_ agent: RunningProcess) async throws -> Int32? {
            try await eventually("the end of an agent") { agent.hasEnded }
            return agent.status
        }

        /// Another version may have another event format: reports that can't be read are counted.
        @Test func `reports of another version are counted`() async throws {
            let fixture = try await AgentFixture()
            let first = try await fixture.agent()
            try await first.end(SIGKILL)
            _ = try await Fixtures.run("call-stub", ["direct", "anonymous", "send", "\(Receiver(datagrams: true).port)"])
            try await fixture.shell("cd \(fixture.pins) && mv map-events-* map-events-00000000 && mv map-agents-* map-agents-00000000")
            let status = try await fixture.status()
            #expect(status.status == 4)
            #expect(status.output.contains("reports of another version"), "\(status.output)")
            let second = try await fixture.agent()
            #expect(try await fixture.pinned().contains { $0.hasSuffix("-00000000") } == false)
            try await eventually("a note about them") {
                second.errors.contains("that an earlier version of the agent left can't be read by this one")
            }
            try await second.end()
        }
    }
}
