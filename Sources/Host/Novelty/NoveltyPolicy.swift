// SPDX-License-Identifier: Apache-2.0

/// When a packet is a duplicate of an earlier one.
public struct NoveltyPolicy: Hashable, Sendable, Codable {
    /// The parts that must match.
    public enum Criteria: String, Hashable, Sendable, Codable, CaseIterable {
        /// Code and parameters, of the same earlier packet.
        case both
        case parameters
        case code
        /// Code or parameters.
        case either
    }

    /// How it has to match.
    public enum Matching: String, Hashable, Sendable, Codable, CaseIterable {
        /// Every byte, every field.
        case exact
        /// Within the distances.
        case near
    }

    public var criteria: Criteria
    public var matching: Matching
    /// The maximum distance at which code matches, from 0 (the same shingles) to 1 (none in common): one minus the
    /// Jaccard similarity of the sets of 4-byte shingles, as estimated from sketches (standard error at most 0.0625).
    /// With the default a patched address, a changed constant or some new padding is still the same code; unrelated programs
    /// are above 0.9.
    public var codeDistance: Double
    /// How many fields of the parameters may differ for them to match, out of ``PacketFingerprint/parameterFields``.
    public var parameterDistance: Int

    /// A quarter of the code may differ: that still is a variant.
    public static let defaultCodeDistance = 0.25
    /// One differing parameter field.
    public static let defaultParameterDistance = 1

    /// Distances out of bounds are clamped.
    public init(
        criteria: Criteria = .both, matching: Matching = .exact, codeDistance: Double = NoveltyPolicy.defaultCodeDistance,
        parameterDistance: Int = NoveltyPolicy.defaultParameterDistance
    ) {
        self.criteria = criteria
        self.matching = matching
        // The comparison is false for NaN, which thus becomes 0, the strictest distance.
        self.codeDistance = codeDistance > 0 ? min(1, codeDistance) : 0
        self.parameterDistance = min(max(0, parameterDistance), PacketFingerprint.parameterFields)
    }

    /// Whether a packet is a duplicate of an earlier one.
    public func isDuplicate(_ packet: PacketFingerprint, of earlier: PacketFingerprint) -> Bool {
        switch criteria {
        case .both: codeMatches(packet, earlier) && parametersMatch(packet, earlier)
        case .parameters: parametersMatch(packet, earlier)
        case .code: codeMatches(packet, earlier)
        case .either: codeMatches(packet, earlier) || parametersMatch(packet, earlier)
        }
    }

    private func codeMatches(_ packet: PacketFingerprint, _ earlier: PacketFingerprint) -> Bool {
        if packet.codeKey == earlier.codeKey { return true }
        return matching == .near && packet.isSignature == earlier.isSignature
            && packet.codeSketch.distance(to: earlier.codeSketch) <= codeDistance
    }

    private func parametersMatch(_ packet: PacketFingerprint, _ earlier: PacketFingerprint) -> Bool {
        if packet.parametersKey == earlier.parametersKey { return true }
        return matching == .near && packet.differingFields(from: earlier) <= parameterDistance
    }
}
