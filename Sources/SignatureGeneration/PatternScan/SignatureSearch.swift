// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures

/// How to search for one signature: its literal, and the range of the signature around a hit of the literal.
struct SignatureSearch: Sendable {
    /// Where to match the signature after a hit of its literal.
    enum Reach: Hashable, Sendable {
        /// Within this many bytes before the literal's start and after its end.
        case around(before: Int, after: Int)
        /// In the first bytes of the data, since it has a gap from the start.
        case prefix(Int)
        /// Anywhere: a conjunction, or a sequence with open or very wide gaps.
        case whole
    }

    /// In bytes: longer literals do not select better, since Hyperscan hashes eight bytes and compares the rest.
    static let maxLiteralBytes = 24
    /// In bytes: a single byte is in nearly all data.
    static let minLiteralBytes = 2
    /// In bytes: for a wider reach, matching the whole block is as cheap.
    static let widestReach = 1 << 16

    /// `nil` if no run is long enough: the signature is matched on all data.
    let literal: [UInt8]?
    let reach: Reach

    /// - Throws: ``EpitopeError/Code/scannerUnbuildable``.
    init(_ signature: Signature) throws(EpitopeError) {
        guard signature.tokens.contains(where: { !$0.fixedRuns.isEmpty }) else {
            throw Self.unbuildable(signature, "it has no fixed byte")
        }
        for gap in signature.tokens.compactMap(\.gap)
        where gap.lowerBound < 0 || gap.lowerBound > Int(UInt32.max) || gap.upperBound > Int.max / 4 {
            throw Self.unbuildable(signature, "a gap of \(gap.lowerBound) to \(gap.upperBound) bytes is none that data can have")
        }
        var best: (token: Int, run: Range<Int>, worth: (Int, Int))?
        for (index, token) in signature.tokens.enumerated() {
            for whole in token.fixedRuns where whole.count >= Self.minLiteralBytes {
                let run = Self.mostDistinct(of: whole, in: token.bytes)
                let worth = (Set(token.bytes[run]).count, run.count)
                if let best, best.worth >= worth { continue }
                best = (index, run, worth)
            }
        }
        guard let best else {
            literal = nil
            reach = .whole
            return
        }
        literal = Array(signature.tokens[best.token].bytes[best.run])
        reach = Self.reach(of: signature, token: best.token, run: best.run)
    }

    /// The part with the most distinct bytes of a run that is longer than a literal may be: fill is in all data.
    private static func mostDistinct(of run: Range<Int>, in bytes: [UInt8]) -> Range<Int> {
        guard run.count > maxLiteralBytes else { return run }
        var best = run.lowerBound..<run.lowerBound + maxLiteralBytes
        var most = Set(bytes[best]).count
        for start in run.lowerBound + 1...run.upperBound - maxLiteralBytes {
            let distinct = Set(bytes[start..<start + maxLiteralBytes]).count
            if distinct > most { (best, most) = (start..<start + maxLiteralBytes, distinct) }
        }
        return best
    }

    private static func reach(of signature: Signature, token: Int, run: Range<Int>) -> Reach {
        guard signature.arrangement == .sequence else { return .whole }
        var before = run.lowerBound
        var after = 0
        for (index, other) in signature.tokens.enumerated() {
            let gap: Int
            if index == 0 {
                gap = 0
            } else if let bounds = other.gap, bounds.upperBound <= widestReach {
                gap = bounds.upperBound
            } else {
                return .whole
            }
            if index <= token { before += gap } else { after += gap }
            if index < token { before += other.bytes.count }
            if index > token { after += other.bytes.count }
        }
        after += signature.tokens[token].bytes.count - run.upperBound
        guard before + after <= widestReach else { return .whole }
        guard let start = signature.tokens[0].gap else { return .around(before: before, after: after) }
        return start.upperBound <= widestReach ? .prefix(start.upperBound + before + run.count + after) : .whole
    }

    private static func unbuildable(_ signature: Signature, _ why: String) -> EpitopeError {
        EpitopeError(
            .scannerUnbuildable, "the signature \(String(signature.description.prefix(120))) cannot be searched for: \(why)",
            remedy: "leave it out, or make it again from its samples")
    }
}
