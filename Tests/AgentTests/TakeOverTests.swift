import EpitopeModel
import Foundation
import Testing
import TestSupport

extension AgentTests {
    /// One agent after the other, while a process makes a call from unbacked memory every few milliseconds, each from a place
    /// of its own: every one is reported.
    @Suite struct TakeOverTests {
        static let calls = 400

        private func series() throws -> RunningProcess {
            try RunningProcess([Fixtures.path("call-series"), "\(Self.calls)", "20", "\(Receiver(datagrams: true).port)"])
        }

        /// Waits until the series is over and all of it was reported; gives what was reported.
        private func reports(of series: RunningProcess, in place: Place) async throws -> [String] {
            try await eventually("the end of the series", seconds: 60) { series.hasEnded }
            #expect(series.output.split(separator: "\n").count == Self.calls)
            try? await eventually("all reports", seconds: 20) { Set(place.reported(of: series.identifier)).count == Self.calls }
            return place.reported(of: series.identifier)
        }

        @Test func anAgentThatIsReplacedLosesNothing() async throws {
            let place = try await Place()
            let first = try await place.agent()
            let series = try series()
            try await eventually("some reports") { place.reported(of: series.identifier).count > 10 }
            let second = try await place.agent(["--replace"])
            #expect(!series.hasEnded, "the change came too late to be one")
            try await eventually("the end of the first") { first.hasEnded }
            #expect(first.status == 0, "\(first.errors)")
            let reported = try await reports(of: series, in: place)
            // Exactly once: by one agent or the other.
            #expect(Set(reported).count == Self.calls)
            #expect(reported.count == Self.calls)
            #expect(try await place.held().allSatisfy { $0.hasPrefix("map-") || $0.hasPrefix("program-2-") })
            #expect(try await second.end() == 0)
            #expect(try await place.held().isEmpty)
        }

        @Test func anAgentThatIsRestartedLosesNothing() async throws {
            let place = try await Place()
            let first = try await place.agent()
            let series = try series()
            try await eventually("some reports") { place.reported(of: series.identifier).count > 10 }
            #expect(try await first.end(SIGUSR1) == 0)
            let alone = try await place.status()
            #expect(alone.status == 4, "\(alone.output)")
            #expect(alone.output.contains("in force without one since"), "\(alone.output)")
            #expect(!series.hasEnded)
            let second = try await place.agent()
            let reported = try await reports(of: series, in: place)
            #expect(Set(reported).count == Self.calls)
            #expect(reported.count == Self.calls)
            try await second.end()
        }

        @Test func anAgentThatIsKilledLosesNothing() async throws {
            let place = try await Place()
            let first = try await place.agent()
            let series = try series()
            try await eventually("some reports") { place.reported(of: series.identifier).count > 10 }
            #expect(try await first.end(SIGKILL) == 128 + SIGKILL)
            #expect(try await place.status().status == 4)
            let second = try await place.agent()
            #expect(try await place.status().status == 0)
            let reported = try await reports(of: series, in: place)
            #expect(Set(reported).count == Self.calls)
            // What the first had under way is in the log twice, and in the spool once.
            let packets = place.events.filter { $0.event == "spooled" }.compactMap(\.packet)
            #expect(packets.count == Set(packets).count)
            #expect(packets.count >= Self.calls)
            try await second.end()
        }

        /// A newer version may lay out an event in another way: what it can't read it counts.
        @Test func reportsOfAnotherVersionAreCounted() async throws {
            let place = try await Place()
            let first = try await place.agent()
            try await first.end(SIGKILL)
            _ = try await Fixtures.run("call-stub", ["direct", "anonymous", "send", "\(Receiver(datagrams: true).port)"])
            try await place.shell("cd \(place.pins) && mv map-events-* map-events-00000000 && mv map-agents-* map-agents-00000000")
            let status = try await place.status()
            #expect(status.status == 4)
            #expect(status.output.contains("reports of another version"), "\(status.output)")
            let second = try await place.agent()
            #expect(try await place.held().contains { $0.hasSuffix("-00000000") } == false)
            try await eventually("word of them") { second.errors.contains("that an earlier version of the agent left can't be read by this one") }
            try await second.end()
        }
    }
}
