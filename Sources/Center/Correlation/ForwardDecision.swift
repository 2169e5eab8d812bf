// SPDX-License-Identifier: Apache-2.0

/// Which packets of a cluster go to the global center: those that bring a kind of evidence that no packet forwarded
/// within the window has brought yet. The global center counts each kind once for a site, so more packets would only
/// use up the quota.
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
    public static func choose(from candidates: [Candidate], forwarded: Set<String>) -> [Candidate] {
        var covered = forwarded
        return candidates.filter { candidate in
            guard !candidate.kinds.isSubset(of: covered) else { return false }
            covered.formUnion(candidate.kinds)
            return true
        }
    }
}
