// SPDX-License-Identifier: Apache-2.0

import Signatures

/// Makes the tokens of patterns that follow one another in every sample.
struct PatternTokens {
    /// In bytes: how much more may lie between two patterns of a variant than in the samples, where something may.
    static let slack = 16
    /// In bytes: patterns with fewer fixed bytes are left out where they would be tokens of their own.
    static let minFixedBytes = 2

    private(set) var tokens: [Signature.Token] = []
    /// The positions, in the reference's code, of the first and last byte.
    private(set) var place: Range<Int>?

    private struct Run {
        var bytes: [UInt8?]
        var mostBefore: Int?
        var place: Range<Int>
    }

    /// - Parameters:
    ///   - patterns: of the reference sample.
    ///   - distances: for each pattern but the first, the bytes between it and the one before, in each sample.
    ///   - mayGrow: whether a variant may have instructions between any two, that do nothing.
    ///   - tied: a pattern that is right behind the one before it all the same.
    init(_ patterns: [InstructionPattern], distances: [[Int]], mayGrow: Bool, tied: Int? = nil) {
        var runs: [Run] = []
        for (index, pattern) in patterns.enumerated() {
            guard index > 0, let last = runs.indices.last else {
                runs.append(Run(bytes: pattern.bytes, mostBefore: nil, place: pattern.place))
                continue
            }
            let most = distances[index - 1].max() ?? 0
            if most == 0, !mayGrow || index == tied {
                runs[last].bytes += pattern.bytes
                runs[last].place = runs[last].place.lowerBound..<pattern.place.upperBound
            } else {
                let several = distances[index - 1].count > 1 ? 2 : 1
                runs.append(Run(bytes: pattern.bytes, mostBefore: several * most + Self.slack, place: pattern.place))
            }
        }
        add(runs)
    }

    private mutating func add(_ runs: [Run]) {
        var skipped = 0
        for run in runs {
            let fixed = run.bytes.indices.filter { run.bytes[$0] != nil }
            guard let first = fixed.first, let last = fixed.last, fixed.count >= Self.minFixedBytes else {
                skipped += run.bytes.count + (run.mostBefore ?? 0)
                continue
            }
            let most = run.mostBefore.map { $0 + skipped + first }
            tokens.append(
                Signature.Token(
                    bytes: run.bytes.map { $0 ?? 0 }, masked: run.bytes.indices.filter { run.bytes[$0] == nil },
                    gap: tokens.isEmpty ? nil : 0...min(most ?? skipped + first, Signature.maxGap)))
            place = (place?.lowerBound ?? run.place.lowerBound + first)..<run.place.lowerBound + last + 1
            skipped = run.bytes.count - 1 - last
        }
    }

    var fixedBytes: Int { tokens.reduce(0) { $0 + $1.bytes.count - $1.masked.count } }
}
