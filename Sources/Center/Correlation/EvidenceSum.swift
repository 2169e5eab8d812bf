// SPDX-License-Identifier: Apache-2.0

/// What the evidence of a cluster, or of the site, adds up to. It is kept beside the evidence, so that weighing a report costs the
/// same whatever came in before.
public struct EvidenceSum: Hashable, Sendable {
    /// In points, each reporter's share capped.
    public var points: Int
    /// Those whose evidence counts now.
    public var reporters: Int

    /// Of no evidence.
    public static let zero = EvidenceSum(points: 0, reporters: 0)

    public init(points: Int, reporters: Int) {
        self.points = points
        self.reporters = reporters
    }

    /// Replaces what one reporter brings: its evidence that counts, before and now.
    public mutating func replace(_ before: ReporterEvidence, by now: ReporterEvidence, cappedAt threshold: AttackThreshold) {
        points += threshold.share(now) - threshold.share(before)
        reporters += (now.isEmpty ? 0 : 1) - (before.isEmpty ? 0 : 1)
    }
}

extension AttackThreshold {
    /// What one reporter brings, in points.
    ///
    /// - Parameter evidence: what counts of its evidence.
    func share(_ evidence: ReporterEvidence) -> Int { min(maxPointsPerReporter, evidence.points) }

    /// Whether evidence that adds up to this is an attack.
    public func decide(_ sum: EvidenceSum) -> ThresholdDecision {
        sum.points >= points ? .reached(points: sum.points) : .waiting(points: sum.points)
    }
}
