// SPDX-License-Identifier: Apache-2.0

import Signatures

/// The bytes of signatures that were withdrawn. What a person took back doesn't come again a byte further, or wider.
struct WithdrawnBytes: Sendable {
    /// In bytes: a run in common as long as that, half a caller window, makes a signature one of the same bytes.
    private static let runLength = 16

    private let signatures: [Signature]
    private let runs: Set<ArraySlice<UInt8>>
    /// Caller windows that are shorter than such a run: what holds one of them is of the same bytes.
    private let shortWindows: [[UInt8]]

    init(_ signatures: [Signature]) {
        self.signatures = signatures
        runs = signatures.reduce(into: []) { $0.formUnion(Self.runs(of: $1)) }
        shortWindows = signatures.compactMap { signature in
            guard signature.tokens.count == 1, let window = signature.tokens.first, window.masked.isEmpty,
                (CallerWindow.lengths.lowerBound..<Self.runLength).contains(window.bytes.count)
            else { return nil }
            return window.bytes
        }
    }

    /// Whether a signature is one of them, matches all that one of them matches, or is of the same bytes.
    func isPart(of signature: Signature) -> Bool {
        if signatures.isEmpty { return false }
        return signatures.contains { $0.id == signature.id || signature.covers($0) }
            || Self.runs(of: signature).contains(where: runs.contains) || holdsShortWindow(signature)
    }

    private func holdsShortWindow(_ signature: Signature) -> Bool {
        !shortWindows.isEmpty
            && signature.tokens.contains { token in
                token.fixedRuns.contains { run in shortWindows.contains { token.bytes[run].firstRange(of: $0) != nil } }
            }
    }

    private static func runs(of signature: Signature) -> [ArraySlice<UInt8>] {
        signature.tokens.flatMap { token in
            token.fixedRuns.flatMap { run in
                stride(from: run.lowerBound, through: run.upperBound - runLength, by: 1).map { token.bytes[$0..<$0 + runLength] }
            }
        }
    }
}
