// SPDX-License-Identifier: Apache-2.0

public import Correlation

/// Where an update goes to.
public enum DeliveryTarget: String, Hashable, Sendable, Codable, CaseIterable {
    /// This site's own intrusion detection system.
    case ids
    /// The global center, as this site's report of an attack.
    case global
    /// The subscribers of this (global) center.
    case feed
}

/// Which packets a local center forwards.
public enum ForwardRule: String, Hashable, Sendable, Codable, CaseIterable {
    case never
    /// Packets of clusters that reached the threshold.
    case reached
    /// Every packet that brings evidence of its own, also below the threshold: sites correlate what each of them
    /// alone would not act upon.
    case all
}

/// What a center makes of reports.
public struct AnalysisPolicy: Hashable, Sendable {
    public var threshold: AttackThreshold
    /// Where updates go; empty: none are made.
    public var targets: Set<DeliveryTarget>
    public var forwards: ForwardRule
    /// The life time of updates, in days, at least 1.
    public var lifetimeDays: Int

    public init(threshold: AttackThreshold, targets: Set<DeliveryTarget>, forwards: ForwardRule, lifetimeDays: Int) {
        self.threshold = threshold
        self.targets = targets
        self.forwards = forwards
        self.lifetimeDays = lifetimeDays
    }
}
