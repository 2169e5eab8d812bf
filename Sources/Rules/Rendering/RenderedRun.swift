// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures

/// A run of bytes without masked positions, and its place: the element of every rule language.
///
/// A masked token becomes several runs at exact distances. All renderings start from a signature's canonical form, so
/// that signatures with the same identity give the same rule.
struct RenderedRun: Hashable, Sendable {
    enum Place: Hashable, Sendable {
        /// Anywhere in the data.
        case anywhere
        /// At a distance in bytes from the start of the data.
        case fromStart(ClosedRange<Int>)
        /// At a distance in bytes from the end of the previous run; `nil` for anywhere after it.
        case after(ClosedRange<Int>?)
    }

    var bytes: [UInt8]
    var place: Place

    /// Whether the run is at one exact distance from the previous run: both are parts of one token.
    var isTied: Bool {
        if case .after(let gap?) = place { gap.lowerBound == gap.upperBound } else { false }
    }

    /// A gap with at least this upper bound has none: no data is as long.
    static let endless = Int(UInt32.max)

    /// The longest exact distance that is written as single positions.
    static let maxTie = 64

    /// The runs of a signature, in its order.
    ///
    /// - Throws: ``EpitopeError/Code/signatureUnrenderable`` if it has no tokens, one without a fixed byte, or a gap with an
    ///   impossible lower bound.
    static func runs(of signature: Signature) throws(EpitopeError) -> [RenderedRun] {
        guard !signature.tokens.isEmpty, signature.tokens.allSatisfy({ !$0.fixedRuns.isEmpty }) else {
            throw unrenderable(signature, "it has no tokens, or one without a fixed byte")
        }
        var bounded = signature
        for (index, token) in signature.tokens.enumerated() {
            guard let gap = token.gap else { continue }
            guard gap.lowerBound >= 0, gap.lowerBound < endless else {
                throw unrenderable(signature, "token \(index) lies \(gap.lowerBound) bytes away")
            }
            bounded.tokens[index].gap = gap.lowerBound...min(gap.upperBound, endless)
        }
        let canonical = bounded.canonical
        var runs: [RenderedRun] = []
        for (index, token) in canonical.tokens.enumerated() {
            for (position, run) in token.fixedRuns.enumerated() {
                let place: Place
                if position > 0 {
                    let distance = run.lowerBound - token.fixedRuns[position - 1].upperBound
                    place = .after(distance...distance)
                } else if canonical.arrangement == .conjunction {
                    place = .anywhere
                } else if index == 0 {
                    place = token.gap.map { .fromStart($0) } ?? .anywhere
                } else {
                    place = .after(token.gap)
                }
                runs.append(RenderedRun(bytes: Array(token.bytes[run]), place: place))
            }
        }
        return runs
    }

    /// The fewest bytes that data must have to contain all runs. Those of a conjunction may overlap.
    static func minDataBytes(_ runs: [RenderedRun]) -> Int {
        var longest = 0
        var end = 0
        for run in runs {
            switch run.place {
            case .anywhere: end = run.bytes.count
            case .fromStart(let gap): end = gap.lowerBound + run.bytes.count
            case .after(let gap): end += (gap?.lowerBound ?? 0) + run.bytes.count
            }
            longest = max(longest, end)
        }
        return longest
    }

    static func unrenderable(_ signature: Signature, _ why: String) -> EpitopeError {
        EpitopeError(
            .signatureUnrenderable, "signature \(signature.id) can't be written as a rule: \(why)",
            remedy: "make the signature again from the packets of its cluster")
    }
}
