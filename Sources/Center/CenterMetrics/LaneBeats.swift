// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// The loops of a center's background work.
public enum CenterLane: String, Hashable, Sendable, CaseIterable {
    /// Stored reports are analysed.
    case analysis
    /// Proofs are made.
    case proofs
    /// Suricata is asked whether it fires.
    case engineChecks = "engine-checks"
    /// The IDS gets its rules.
    case ids
    /// The global center gets packets and updates.
    case forwarding
    /// The global center's feed is read.
    case subscription
    /// It is looked whose updates are read, of other sites.
    case peers
}

/// When each loop last turned. A loop says so each time that a piece of its work has ended.
public final class LaneBeats: Sendable {
    /// A monotonic time in nanoseconds from the start of the program's clock; 0: the loop doesn't run here.
    private let beats: [CenterLane: Gauge]
    private let limits: [CenterLane: Gauge]
    private let pool = Gauge()
    private static let begun = ContinuousClock.now

    public init() {
        beats = Dictionary(CenterLane.allCases.map { ($0, Gauge()) }) { first, _ in first }
        limits = Dictionary(CenterLane.allCases.map { ($0, Gauge()) }) { first, _ in first }
    }

    /// A loop begins.
    ///
    /// - Parameter limit: after that time without a turn it is held stuck.
    public func start(_ lane: CenterLane, limit: Duration) {
        limits[lane]?.set(Self.nanoseconds(limit))
        turn(lane)
    }

    /// No loop runs here any more: another center does the work.
    public func stop() { for beat in beats.values { beat.set(0) } }

    /// A loop has ended a piece of its work.
    ///
    /// - Parameter rest: how long it will do nothing on purpose.
    public func turn(_ lane: CenterLane, restingFor rest: Duration = .zero) {
        beats[lane]?.set(Self.now + Self.nanoseconds(rest))
    }

    /// The threads that all of the center's work shares have run a task.
    public func poolTurned() { pool.set(Self.now) }

    /// How long ago the shared threads last ran a task, in seconds; `nil`: not yet.
    public var poolAge: Double? { Self.age(pool.value) }

    /// The loops that run here, with how long ago each turned and how long that may be, in seconds.
    public var ages: [LaneAge] {
        CenterLane.allCases.compactMap { lane in
            guard let age = Self.age(beats[lane]?.value ?? 0) else { return nil }
            return LaneAge(lane: lane, seconds: age, limit: Double(limits[lane]?.value ?? 0) / 1e9)
        }
    }

    private static var now: Int64 { max(1, nanoseconds(ContinuousClock.now - begun)) }

    private static func age(_ beat: Int64) -> Double? { beat == 0 ? nil : max(0, Double(now - beat) / 1e9) }

    private static func nanoseconds(_ duration: Duration) -> Int64 {
        duration.components.seconds * 1_000_000_000 + duration.components.attoseconds / 1_000_000_000
    }
}

/// How long ago a loop turned.
public struct LaneAge: Hashable, Sendable {
    public var lane: CenterLane
    public var seconds: Double
    /// After so long it is held stuck.
    public var limit: Double

    public init(lane: CenterLane, seconds: Double, limit: Double) {
        self.lane = lane
        self.seconds = seconds
        self.limit = limit
    }
}
