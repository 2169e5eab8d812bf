// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// Bounds on the form of a signature. A center refuses what breaks them: no center makes such a signature, and matching
/// one takes a pass over the data for each token, and at masked ones comparisons at each byte.
extension Signature {
    /// More than any strategy makes: token sequences have at most 48.
    public static let maxTokens = 64
    /// In bytes, of all tokens together: as much as the code of one packet.
    public static let maxBytes = ExtractedPacket.maxCodeBytes
    /// In bytes: the size of the largest datagram.
    public static let maxGap = 65_535

    /// In bytes, of all tokens with masked positions together: they are compared byte by byte wherever their longest run is. The
    /// masked windows that centers make have at most some 100.
    public static let maxMaskedTokenBytes = 512

    /// Whether the signature keeps these bounds: tokens with at least one fixed byte, gaps that data can have, and a context that
    /// names ports only with a transport.
    public var isWellFormed: Bool {
        guard (1...Self.maxTokens).contains(tokens.count) else { return false }
        var bytes = 0
        var maskedBytes = 0
        for token in tokens {
            guard token.masked.count < token.bytes.count, token.bytes.count <= Self.maxBytes else { return false }
            bytes += token.bytes.count
            if !token.masked.isEmpty { maskedBytes += token.bytes.count }
            if let gap = token.gap, gap.lowerBound < 0 || gap.upperBound > Self.maxGap { return false }
        }
        return bytes <= Self.maxBytes && maskedBytes <= Self.maxMaskedTokenBytes && context.isWellFormed
    }
}

extension SignatureContext {
    /// Whether each part has at most ``maxPorts`` ports, and a protocol that has ports if there are any; and if there are several
    /// parts, at most ``maxParts``, each with a protocol. A buffer is one that its traffic brings.
    fileprivate var isWellFormed: Bool {
        let parts = parts
        return parts.allSatisfy { part in
            part.ports.count <= Self.maxPorts && (part.ports.isEmpty || (part.transport != nil && part.transport != .other))
                && (parts.count == 1 || part.transport != nil && part.transport != .other) && part.further.isEmpty
                && part.isSearchable
        } && parts.count <= Self.maxParts
    }

    /// Whether the traffic of a part brings its buffer.
    private var isSearchable: Bool {
        guard let buffer else { return true }
        return buffer.transports.contains { $0 == transport } && (direction == .any || (direction == .fromPeer) == buffer.isOfResponse)
    }
}

/// How much a signature must hold to identify anything.
extension Signature {
    /// What is enough where caller windows have a length. Windows of less than ``minFixedBytes`` are enough only where somebody chose them
    /// so short: their bytes are in much other data by chance.
    public struct Substance: Hashable, Sendable {
        /// Of all tokens together.
        public var fixedBytes: Int
        /// Distinct values among them: fill has fewer.
        public var distinctBytes: Int

        /// - Parameter callerWindow: in bytes, one of ``CallerWindow/lengths``.
        public init(callerWindow: Int = CallerWindow.length) {
            fixedBytes = min(Signature.minFixedBytes, callerWindow)
            distinctBytes = min(Signature.minDistinctBytes, callerWindow / 2)
        }
    }

    /// The fewest fixed bytes of all tokens together: half a caller window.
    public static let minFixedBytes = 16

    /// The fewest distinct byte values. Fill and padding (`00`, `90`, `cc`, short repeats) have fewer; the windows of
    /// calls have many more.
    public static let minDistinctBytes = 8

    /// In bytes: the shortest run of fixed bytes that engines, and searches of goodware, look for. Shorter ones are everywhere.
    public static let minScannedRun = 4
    /// The fewest distinct values of such a run.
    public static let minScannedValues = 3

    /// Whether there is a run of fixed bytes that data can be searched for.
    public var hasScannableRun: Bool {
        tokens.contains { token in token.fixedRuns.contains { Self.isScannable(token.bytes[$0]) } }
    }

    /// Whether data can be searched for a run of fixed bytes.
    public static func isScannable(_ run: some Collection<UInt8>) -> Bool {
        run.count >= minScannedRun && Set(run).count >= minScannedValues
    }

    /// The bytes at the fixed positions of all tokens, in order.
    public var fixedValues: [UInt8] {
        tokens.flatMap { token in token.fixedRuns.flatMap { token.bytes[$0] } }
    }

    /// Whether the fixed bytes are enough, and not fill.
    public var isSubstantial: Bool { isSubstantial(for: Substance()) }

    /// The same where another length of caller windows was chosen.
    public func isSubstantial(for enough: Substance) -> Bool { Self.isSubstantial(fixedValues, for: enough) }

    /// Whether bytes are enough, and not fill, to make a signature of.
    public static func isSubstantial(_ bytes: [UInt8], for enough: Substance = Substance()) -> Bool {
        bytes.count >= enough.fixedBytes && Set(bytes).count >= enough.distinctBytes
    }
}
