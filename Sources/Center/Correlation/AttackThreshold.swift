// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// The points of evidence at which a center acts on an attack.
public struct AttackThreshold: Hashable, Sendable, Codable {
    /// The reports whose points are added up.
    public enum Counter: String, Hashable, Sendable, Codable, CaseIterable {
        /// Each cluster of like packets has its own count.
        case cluster
        /// One count for the site, over all clusters.
        case site
    }

    /// What counts of a reporter's reports.
    public enum Counting: String, Hashable, Sendable, Codable, CaseIterable {
        /// Each kind of evidence once, however many packets bring it.
        case kinds = "each-kind"
        /// Each packet, with the weights of its kinds of evidence.
        case packets = "each-packet"
    }

    /// The points at which the threshold is reached; at least 1.
    public var points: Int
    /// How long evidence counts, in milliseconds. Evidence exactly this old no longer counts.
    public var windowMilliseconds: Int64
    /// The maximum of points that one reporter can bring, whatever it reports, so that one compromised host can't
    /// reach a threshold that is set higher. At least the weight of one direct call (100); below it one host's plain
    /// attack would never count in full.
    public var maxPointsPerReporter: Int
    public var counter: Counter
    /// What counts of a reporter's reports; either way it brings at most ``maxPointsPerReporter``.
    public var counting: Counting

    /// 24 hours: an attack that spreads reaches several hosts within a day, and older evidence is more likely unrelated.
    public static let defaultWindowMilliseconds: Int64 = Duration.days(1).inMilliseconds

    /// The defaults: 100 points, the weight of one direct call, in 24 hours for a cluster; one reporter brings at most
    /// 100 of them.
    public init(
        points: Int = 100, windowMilliseconds: Int64 = Self.defaultWindowMilliseconds, maxPointsPerReporter: Int = 100,
        counter: Counter = .cluster, counting: Counting = .kinds
    ) {
        self.points = points
        self.windowMilliseconds = windowMilliseconds
        self.maxPointsPerReporter = maxPointsPerReporter
        self.counter = counter
        self.counting = counting
    }
}

/// The result of counting points.
public enum ThresholdDecision: Hashable, Sendable {
    /// Below the threshold.
    case waiting(points: Int)
    case reached(points: Int)

    /// The points counted, whether they reach the threshold or not.
    public var points: Int {
        switch self {
        case .waiting(let points), .reached(let points): points
        }
    }

    /// Whether an update may be made.
    public var isReached: Bool {
        if case .reached = self { true } else { false }
    }
}
