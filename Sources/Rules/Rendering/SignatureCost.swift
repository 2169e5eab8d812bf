// SPDX-License-Identifier: Apache-2.0

public import Signatures

/// An estimate of what a signature costs an engine. An engine searches all traffic for one run of bytes (the fast
/// pattern), and evaluates the rest of the rule only where it finds that.
public struct SignatureCost: Hashable, Sendable {
    /// The fewest bytes of a fast pattern with a bounded cost: engines index up to four.
    public static let minFastPatternBytes = Signature.minScannedRun
    /// The fewest bits of a fast pattern that is not found everywhere: three distinct values by the default measure,
    /// ``PatternSpecificity/distinctBytes``.
    public static let minFastPatternBits = 24.0
    /// Runs of bytes that much traffic contains. A fast pattern inside one of them causes a full evaluation for each.
    public static let commonPatterns: [[UInt8]] = [
        "GET / HTTP/1.1\r\n", "GET ", "POST ", "HTTP/1.0\r\n", "HTTP/1.1 200 OK\r\n", "\r\nHost: ", "\r\n\r\n", "Content-Length: ",
        "Content-Type: ", "User-Agent: Mozilla/5.0",
        "Connection: keep-alive\r\n", "Accept: */*\r\n", "SSH-2.0-", "\u{0}\u{1}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}",
    ].map { Array($0.utf8) }

    /// In bytes; 0 when the signature can't be rendered.
    public var fastPatternLength: Int
    /// How rare the fast pattern is, in bits.
    public var fastPatternBits: Double
    /// How many contents a rule needs: one for each fixed run of each token.
    public var contents: Int
    /// Whether the fast pattern is long and rare enough, and no text.
    public var isCheap: Bool

    public init(of signature: Signature, rarity: PatternSpecificity = .distinctBytes) {
        let runs = ((try? RenderedRun.runs(of: signature)) ?? []).map(\.bytes)
        let best = rarity.rarest(of: runs).map { runs[$0] } ?? []
        fastPatternLength = best.count
        fastPatternBits = best.isEmpty ? 0 : rarity.bits(best)
        contents = runs.count
        isCheap =
            best.count >= Self.minFastPatternBytes && fastPatternBits >= Self.minFastPatternBits && !TextBytes.isMostlyText(best)
            && !Self.commonPatterns.contains { common in
                best.count <= common.count && (0...common.count - best.count).contains { common[$0..<$0 + best.count].elementsEqual(best) }
            }
    }
}
