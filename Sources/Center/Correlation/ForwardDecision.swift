// SPDX-License-Identifier: Apache-2.0

/// Which packets of a cluster go to the global center: those that bring a kind of evidence that no packet forwarded
/// within the window has brought yet, and one that brings what the site concluded. The global center counts each kind once
/// for a site, so more packets would only use up the quota.
public enum ForwardDecision {
    /// A packet that was not forwarded.
    public struct Candidate: Hashable, Sendable {
        /// The sequence number of its report.
        public var report: Int64
        /// The kinds of evidence that it brings.
        public var kinds: Set<String>

        public init(report: Int64, kinds: Set<String>) {
            self.report = report
            self.kinds = kinds
        }
    }

    /// - Parameters:
    ///   - candidates: oldest first; of packets that bring the same kinds the oldest is taken.
    ///   - forwarded: the kinds that forwarded packets brought within the window.
    ///   - conclusion: what the site concluded, as kinds (``conclusion(points:)``); empty: nothing yet.
    /// - Returns: those that bring the conclusion with its kinds among theirs.
    public static func choose(
        from candidates: [Candidate], forwarded: Set<String>, conclusion: Set<String> = []
    ) -> [Candidate] {
        var covered = forwarded
        let bringing = candidates.filter { candidate in
            guard !candidate.kinds.isSubset(of: covered) else { return false }
            covered.formUnion(candidate.kinds)
            return true
        }
        let isConclusionDue = !conclusion.isSubset(of: forwarded)
        return (bringing.isEmpty && isConclusionDue ? Array(candidates.prefix(1)) : bringing).map { candidate in
            Candidate(report: candidate.report, kinds: candidate.kinds.union(conclusion))
        }
    }

    /// A conclusion as kinds of evidence: it goes out once when the threshold is reached, and once more when it has as much weight as a site
    /// can have by itself, where the site's threshold is lower than that.
    ///
    /// - Parameter points: what was concluded from.
    public static func conclusion(points: Int) -> Set<String> {
        let isWhole = points >= WeighedEvidence.siteUpdatePoints
        return isWhole ? [WeighedEvidence.siteConclusion, wholeConclusion] : [WeighedEvidence.siteConclusion]
    }

    private static let wholeConclusion = WeighedEvidence.siteConclusion + "-in-full"
}
