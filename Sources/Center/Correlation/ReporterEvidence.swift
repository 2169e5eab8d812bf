// SPDX-License-Identifier: Apache-2.0

/// What one reporter's evidence adds up to that counts now, before its share is capped (``AttackThreshold/maxPointsPerReporter``).
public struct ReporterEvidence: Hashable, Sendable {
    /// Each kind of evidence once.
    private var ofKinds = 0
    /// What the reporter, a site, concluded from its own reporters.
    private var concluded = 0
    /// All packets together, where each counts.
    private var ofPackets = 0
    /// Whether there is none.
    public private(set) var isEmpty = true

    /// None.
    public init() {}

    /// Adds the evidence of one kind.
    public mutating func add(kind: String, points: Int) {
        isEmpty = false
        if kind == WeighedEvidence.siteConclusion { concluded = max(concluded, points) } else { ofKinds += points }
    }

    /// Adds a packet, where each counts.
    ///
    /// - Parameter points: of all its kinds of evidence.
    public mutating func add(packet points: Int) {
        isEmpty = false
        ofPackets += points
    }

    /// In points. All packets bring each kind at least once, and what a site concluded holds the evidence of its packets already: so it is
    /// the largest of these.
    public var points: Int { max(ofKinds, ofPackets, concluded) }
}
