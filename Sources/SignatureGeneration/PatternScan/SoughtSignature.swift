// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures

/// How one signature is sought: the literal that stands for it, and where its bytes lie around a literal's hit.
struct SoughtSignature: Sendable {
    /// Where the signature must be looked for once its literal was seen.
    enum Reach: Hashable, Sendable {
        /// Within so many bytes before the literal's start and behind its end.
        case around(before: Int, after: Int)
        /// In the first bytes of the data: it is tied to the start.
        case prefix(Int)
        /// Anywhere: a conjunction, or a sequence with open or very wide gaps.
        case whole
    }

    /// Longer literals find nothing more: Hyperscan hashes eight bytes, and compares the rest.
    static let longestLiteral = 24
    /// A single byte is in nearly all data, and spares nothing.
    static let shortestLiteral = 2
    /// In bytes: a wider reach than this is no cheaper than one look at the whole.
    static let widestReach = 1 << 16

    /// `nil`: no run is long enough, and the signature is matched on all data.
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
            for whole in token.fixedRuns where whole.count >= Self.shortestLiteral {
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

    /// Of a run longer than a literal may be, the part with the most distinct bytes: fill is in all data.
    private static func mostDistinct(of run: Range<Int>, in bytes: [UInt8]) -> Range<Int> {
        guard run.count > longestLiteral else { return run }
        var best = run.lowerBound..<run.lowerBound + longestLiteral
        var most = Set(bytes[best]).count
        for start in run.lowerBound + 1...run.upperBound - longestLiteral {
            let distinct = Set(bytes[start..<start + longestLiteral]).count
            if distinct > most { (best, most) = (start..<start + longestLiteral, distinct) }
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
            .scannerUnbuildable, "the signature \(String(signature.description.prefix(120))) can't be sought: \(why)",
            remedy: "leave it out, or make it anew from its samples")
    }
}
