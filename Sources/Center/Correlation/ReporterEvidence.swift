// SPDX-License-Identifier: Apache-2.0

/// What one reporter's evidence adds up to that counts now, before its share is capped (``AttackThreshold/maxPointsPerReporter``).
public struct ReporterEvidence: Hashable, Sendable {
    /// Each kind of evidence once.
    private var ofKinds = 0
    /// What the reporter, a site, concluded from its own reporters.
    private var concluded = 0
    /// Whether there is none.
    public private(set) var isEmpty = true

    /// None.
    public init() {}

    /// Adds the evidence of one kind.
    public mutating func add(kind: String, points: Int) {
        isEmpty = false
        if kind == WeighedEvidence.siteConclusion { concluded = max(concluded, points) } else { ofKinds += points }
    }

    /// In points. What a site concluded holds the evidence of its packets already, so it is the larger of both.
    public var points: Int { max(ofKinds, concluded) }
}
