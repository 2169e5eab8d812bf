// SPDX-License-Identifier: Apache-2.0

public import Signatures

/// What a signature will cost an engine, estimated: an engine looks for one run of bytes in all traffic (the fast
/// pattern), and at the rest of the rule only where that is found.
public struct SignatureCost: Hashable, Sendable {
    /// The fewest bytes of a fast pattern that is looked for at a bounded cost: engines' tables index up to four.
    public static let shortestFastPattern = 4
    /// The fewest bits of a fast pattern that is not found everywhere: by the standard measure three distinct values.
    public static let fewestBits = 24.0
    /// Runs that much traffic holds; a fast pattern that lies in one of them is looked at again and again.
    public static let commonPatterns: [[UInt8]] = [
        "GET / HTTP/1.1\r\n", "GET ", "POST ", "HTTP/1.0\r\n", "HTTP/1.1 200 OK\r\n", "\r\nHost: ", "\r\n\r\n", "Content-Length: ",
        "Content-Type: ", "User-Agent: Mozilla/5.0",
        "Connection: keep-alive\r\n", "Accept: */*\r\n", "SSH-2.0-", "\u{0}\u{1}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}",
    ].map { Array($0.utf8) }

    /// In bytes; 0 when the signature can't be rendered.
    public var fastPatternLength: Int
    /// How rare the fast pattern is, in bits.
    public var fastPatternBits: Double
    /// How many contents a rule needs: a masked token counts once a fixed run.
    public var contents: Int
    public var isCheap: Bool

    public init(of signature: Signature, rarity: PatternSpecificity = .distinctBytes) {
        let runs = ((try? RenderedRun.runs(of: signature)) ?? []).map(\.bytes)
        let best = rarity.rarest(of: runs).map { runs[$0] } ?? []
        fastPatternLength = best.count
        fastPatternBits = best.isEmpty ? 0 : rarity.bits(best)
        contents = runs.count
        isCheap =
            best.count >= Self.shortestFastPattern && fastPatternBits >= Self.fewestBits
            && !Self.commonPatterns.contains { common in
                best.count <= common.count && (0...common.count - best.count).contains { common[$0..<$0 + best.count].elementsEqual(best) }
            }
    }

    /// The proof's check `cost`.
    public var check: Proof.Check {
        Proof.Check(
            name: "cost", passed: isCheap,
            detail: "fast pattern of \(fastPatternLength) bytes, \(Int(fastPatternBits)) bits; \(contents) contents")
    }
}
