// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// One piece of evidence as a center keeps it: its reporter, weight and time.
public struct WeighedEvidence: Hashable, Sendable {
    /// The reporter, unique at the center: a host at the local center, a site (or a host that reports straight) at
    /// the global one.
    public var reporter: String
    /// The kind of evidence: an ``EvidenceKind``, ``WeighedEvidence/siteUpdate`` or ``WeighedEvidence/siteConclusion``.
    public var kind: String
    public var points: Int
    /// When the center received it, by the center's own clock, in milliseconds since 1970-01-01T00:00:00Z. A host's
    /// clock is never used: an attacker on the host could stretch the window with it.
    public var timeMilliseconds: Int64
    /// Where its reporter reported it from (``ReportSource/machine``).
    public var machine: String?

    public init(reporter: String, kind: String, points: Int, timeMilliseconds: Int64, machine: String? = nil) {
        self.reporter = reporter
        self.kind = kind
        self.points = points
        self.timeMilliseconds = timeMilliseconds
        self.machine = machine
    }

    public init(from source: ReportSource, evidence: Evidence, timeMilliseconds: Int64) {
        self.init(
            reporter: source.reporter, kind: evidence.kind.rawValue, points: evidence.kind.defaultWeight,
            timeMilliseconds: timeMilliseconds, machine: source.machine)
    }

    /// The kind of evidence that a site's own update counts as at the global center: the site's evidence had reached
    /// its threshold. It weighs as much as one direct call.
    public static let siteUpdate = "update-of-a-site"
    /// The weight of a site's own update, in points.
    public static let siteUpdatePoints = 100
    /// The kind of evidence that a site's conclusion counts as at the global center, with the points that the site said, and for the site
    /// as for one reporter (``ReporterEvidence``): who claims many hosts gains no more than its own share.
    public static let siteConclusion = "conclusion-of-a-site"
}

extension AttackThreshold {
    /// Counts the evidence of a cluster (or of the site) at a moment.
    ///
    /// Each kind of evidence counts once per reporter, one reporter's total is capped, and evidence as old as the
    /// window is left out. Evidence from the future (the center's clock was set back since) counts as new: dropping
    /// it would let a clock step hide an attack.
    public func decide(_ evidence: some Sequence<WeighedEvidence>, nowMilliseconds: Int64) -> ThresholdDecision {
        var strongest: [String: [String: Int]] = [:]
        for item in evidence where counts(item, nowMilliseconds: nowMilliseconds) {
            let known = strongest[item.reporter]?[item.kind] ?? 0
            strongest[item.reporter, default: [:]][item.kind] = max(known, item.points)
        }
        let total = strongest.values.reduce(0) { total, kinds in
            var evidence = ReporterEvidence()
            for (kind, points) in kinds { evidence.add(kind: kind, points: points) }
            return total + share(evidence)
        }
        return total >= points ? .reached(points: total) : .waiting(points: total)
    }

    /// Only evidence later than this counts now.
    public func windowStart(nowMilliseconds: Int64) -> Int64 {
        nowMilliseconds.subtractingReportingOverflow(windowMilliseconds).partialValue
    }

    private func counts(_ item: WeighedEvidence, nowMilliseconds: Int64) -> Bool {
        item.timeMilliseconds > windowStart(nowMilliseconds: nowMilliseconds)
    }
}
