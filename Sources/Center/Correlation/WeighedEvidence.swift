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
    /// The number of the packet that brought it; `nil`: no packet did.
    public var packet: Int64?

    public init(
        reporter: String, kind: String, points: Int, timeMilliseconds: Int64, machine: String? = nil, packet: Int64? = nil
    ) {
        self.reporter = reporter
        self.kind = kind
        self.points = points
        self.timeMilliseconds = timeMilliseconds
        self.machine = machine
        self.packet = packet
    }

    public init(
        from source: ReportSource, evidence: Evidence, timeMilliseconds: Int64, weights: EvidenceWeights = EvidenceWeights(),
        packet: Int64? = nil
    ) {
        self.init(
            reporter: source.reporter, kind: evidence.kind.rawValue, points: weights[evidence.kind],
            timeMilliseconds: timeMilliseconds, machine: source.machine, packet: packet)
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
    /// Each kind of evidence counts once per reporter, or each packet does (``counting``), one reporter's total is capped, and evidence as old as the
    /// window is left out. Evidence from the future (the center's clock was set back since) counts as new: dropping
    /// it would let a clock step hide an attack.
    public func decide(_ evidence: some Sequence<WeighedEvidence>, nowMilliseconds: Int64) -> ThresholdDecision {
        let counted = evidence.filter { counts($0, nowMilliseconds: nowMilliseconds) }
        let total = Dictionary(grouping: counted, by: \.reporter).values.reduce(0) { total, items in
            var evidence = ReporterEvidence()
            for (kind, points) in Self.strongest(items) { evidence.add(kind: kind, points: points) }
            if counting == .packets { for (_, points) in Self.packets(items) { evidence.add(packet: points) } }
            return total + share(evidence)
        }
        return total >= points ? .reached(points: total) : .waiting(points: total)
    }

    /// The points of each kind.
    private static func strongest(_ evidence: [WeighedEvidence]) -> [String: Int] {
        evidence.reduce(into: [:]) { $0[$1.kind] = max($0[$1.kind] ?? 0, $1.points) }
    }

    /// The points of each packet: of every kind of evidence that it brought. What a site concluded is none of them.
    public static func packets(_ evidence: [WeighedEvidence]) -> [Int64: Int] {
        Dictionary(grouping: evidence.filter { $0.packet != nil && $0.kind != WeighedEvidence.siteConclusion }) { $0.packet ?? 0 }
            .mapValues { strongest($0).values.reduce(0, +) }
    }

    /// Only evidence later than this counts now.
    public func windowStart(nowMilliseconds: Int64) -> Int64 {
        nowMilliseconds.subtractingReportingOverflow(windowMilliseconds).partialValue
    }

    private func counts(_ item: WeighedEvidence, nowMilliseconds: Int64) -> Bool {
        item.timeMilliseconds > windowStart(nowMilliseconds: nowMilliseconds)
    }
}
