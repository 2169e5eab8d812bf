// SPDX-License-Identifier: Apache-2.0

import CenterMetrics
import Testing

@Suite("Whether a center is ready")
struct ReadinessTests {
    private static let now: Int64 = 1_800_000_000_000
    private static let day: Int64 = 86_400_000

    /// A center that does its work.
    private var sound: ReadinessInputs {
        var seen = ReadinessInputs()
        seen.isListening = true
        seen.nowMilliseconds = Self.now
        seen.serverEnds = Self.now + 60 * Self.day
        seen.authorityEnds = Self.now + 3000 * Self.day
        seen.lanes = [LaneAge(lane: .analysis, seconds: 4, limit: 120)]
        seen.standing = [LaneAge(lane: .analysis, seconds: 0, limit: 120)]
        return seen
    }

    private func codes(_ change: (inout ReadinessInputs) -> Void) -> [Readiness.Code] {
        var seen = sound
        change(&seen)
        return Readiness(seen).reasons.map(\.code)
    }

    @Test func `a center that does its work is ready`() {
        #expect(Readiness(sound).isReady && Readiness(sound).reasons.isEmpty)
        #expect(codes { $0.isListening = false } == [.starting])
    }

    @Test func `a store that can't be written makes it not ready, by the store's own code`() {
        #expect(codes { $0.writeFailure = "disk-full" } == [.diskFull])
        #expect(codes { $0.writeFailure = "store-unusable" } == [.storeUnusable])
        #expect(codes { $0.writeFailure = "store-failed" } == [.storeFailed])
        #expect(codes { $0.writeFailure = "store-refused" } == [.storeFailed])
        #expect(codes { $0.writePendingSeconds = 9 } == [])
        #expect(codes { $0.writePendingSeconds = 11 } == [.storeStalled])
    }

    @Test func `a packet that could not be stored counts until a write and some time say otherwise`() {
        #expect(codes { ($0.failures["store"], $0.storeFailedSeconds) = ("disk-full", 3) } == [.diskFull])
        #expect(codes { ($0.failures["store"], $0.storeFailedSeconds) = ("disk-full", 16) } == [])
        #expect(codes { ($0.failures["store"], $0.storeFailedSeconds, $0.writeFailure) = ("disk-full", 99, "disk-full") } == [.diskFull])
    }

    @Test func `a loop that does not turn, and work that stands still, are told with their part once`() {
        var seen = sound
        seen.lanes = [LaneAge(lane: .proofs, seconds: 500, limit: 420), LaneAge(lane: .ids, seconds: 500, limit: 501)]
        seen.standing = [LaneAge(lane: .proofs, seconds: 500, limit: 420), LaneAge(lane: .analysis, seconds: 121, limit: 120)]
        #expect(Readiness(seen).reasons == [.init(.laneWedged, part: "analysis"), .init(.laneWedged, part: "proofs")])
        #expect(!Readiness(seen).isReady)
    }

    @Test func `a lost Suricata is not told twice`() {
        #expect(
            codes {
                $0.suricataFailure = "suricata-stopped"
                $0.failures["ids"] = "suricata-stopped"
            } == [.suricataLost])
        #expect(codes { $0.failures["ids"] = "suricata-refused" } == [.rulesFailing])
    }

    @Test func `without the key no host gets in`() {
        var seen = sound
        seen.failures["key"] = "key-unavailable"
        #expect(Readiness(seen).reasons == [.init(.keyUnavailable, cause: "key-unavailable")])
        #expect(!Readiness(seen).isReady)
    }

    @Test func `a site without its global center is ready, and degraded`() {
        var seen = sound
        seen.failures = ["forwarding": "center-unreachable", "subscription": "center-unreachable", "analysis": "store-failed"]
        seen.linkEnds = Self.now - 1
        let readiness = Readiness(seen)
        #expect(readiness.isReady)
        #expect(readiness.reasons.map(\.code) == [.linkFailing, .linkFailing, .linkFailing, .analysisFailing])
        #expect(readiness.reasons.map(\.part) == ["forwarding", "link", "subscription", nil])
    }

    @Test func `certificates that have ended, and that should have been renewed`() {
        #expect(codes { $0.serverEnds = Self.now } == [.certificateEnded])
        #expect(codes { $0.authorityEnds = Self.now - 1 } == [.certificateEnded])
        #expect(codes { $0.serverEnds = Self.now + 13 * Self.day } == [.certificateEnding])
        #expect(codes { $0.serverEnds = Self.now + 15 * Self.day } == [])
        #expect(codes { $0.authorityEnds = Self.now + 179 * Self.day } == [.certificateEnding])
        #expect(codes { $0.authorityEnds = Self.now + 181 * Self.day } == [])
        #expect(codes { $0.linkEnds = Self.now + 13 * Self.day } == [.certificateEnding])
        #expect(codes { ($0.serverEnds, $0.authorityEnds) = (0, 0) } == [])
    }

    @Test func `work stands still while some waits and none is done`() {
        var standstill = Standstill()
        let begin = ContinuousClock.now
        #expect(standstill.look(waiting: 0, done: 5, now: begin) == 0)
        // It has come only now, however long nothing was done before.
        #expect(standstill.look(waiting: 3, done: 5, now: begin + .seconds(500)) == 0)
        #expect(standstill.look(waiting: 4, done: 5, now: begin + .seconds(600)) == 100)
        #expect(standstill.look(waiting: 4, done: 6, now: begin + .seconds(700)) == 0)
        #expect(standstill.look(waiting: 1, done: 6, now: begin + .seconds(705)) == 5)
        #expect(standstill.look(waiting: 0, done: 6, now: begin + .seconds(710)) == 0)
        #expect(standstill.look(waiting: 1, done: 6, now: begin + .seconds(720)) == 0)
    }

    @Test func `a center is alive while its loops turn, also one that is held stuck for now`() {
        let slow = LaneAge(lane: .proofs, seconds: 500, limit: 420)
        #expect(Liveness(poolAge: 2, lanes: [slow]).isAlive)
        #expect(Liveness(poolAge: nil, lanes: []).isAlive)
        #expect(Liveness(poolAge: 61, lanes: [LaneAge(lane: .ids, seconds: 601, limit: 120)]).stuck == ["ids", "pool"])
    }

    @Test func `a loop that rests on purpose is not stuck`() throws {
        let lanes = LaneBeats()
        #expect(lanes.ages.isEmpty && lanes.poolAge == nil)
        lanes.start(.subscription, limit: .seconds(3))
        lanes.turn(.subscription, restingFor: .seconds(3600))
        let age = try #require(lanes.ages.first)
        #expect(lanes.ages.count == 1 && age.seconds == 0 && age.limit == 3)
    }
}
