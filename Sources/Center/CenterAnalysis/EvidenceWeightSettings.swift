// SPDX-License-Identifier: Apache-2.0

public import Correlation
import EpitopeModel
public import SettingsFiles

/// The object `weights` in a center's settings: a key for each kind of evidence, by its name.
///
///     weights:
///       call-from-memory-file: 60
public struct EvidenceWeightSettings: Hashable, Sendable, SettingsGroup {
    public var weights = EvidenceWeights()

    public init() {}

    public mutating func visit(_ visitor: inout some SettingsVisitor) throws {
        for kind in EvidenceKind.allCases { try visitor.setting(kind.rawValue, &weights[kind], in: EvidenceWeights.bounds) }
    }

    public static let liveKeys = Set(EvidenceKind.allCases.map(\.rawValue))
}
