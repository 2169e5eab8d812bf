// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// How many points each kind of evidence counts at a center.
public struct EvidenceWeights: Hashable, Sendable {
    /// In points: the weights that can be set; 0: the kind does not count.
    public static let bounds = 0...1000

    private var changed: [EvidenceKind: Int] = [:]

    /// Those of the design (``EpitopeModel/EvidenceKind/defaultWeight``).
    public init() {}

    /// In points, within ``bounds``.
    public subscript(kind: EvidenceKind) -> Int {
        get { changed[kind] ?? kind.defaultWeight }
        set { changed[kind] = newValue == kind.defaultWeight ? nil : newValue }
    }
}
