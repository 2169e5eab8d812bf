// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// Which bytes of a buffer are the attack's code, as far as the bytes show, and which merely lie beside it: the head of the
/// request that brought it, its padding, other people's data.
///
/// Two kinds of stretch are code: the one that holds the call, and others that are as certainly code, such as the decoder of
/// a body that was decoded in place. Both are maximal scoring segments (Karlin and Altschul, "Methods for assessing the
/// statistical significance of molecular sequence features by using general scoring schemes", 1990) over chains of
/// instructions, each instruction with its ``Instruction/codeBits``: a stretch ends where going on makes code less likely. In
/// the one that holds the call, every instruction falls through to the next, up to the caller's address and on behind it.
public struct CodeExtent: Hashable, Sendable {
    /// In bytes on each side of the caller's address: how far its stretch is followed.
    public static let reach = 4096
    /// In bytes: how much of a buffer is searched for other stretches.
    public static let maxSearchedBytes = 16_384
    /// In bits: where a stretch has lost so much against its best end, no better end follows.
    static let maxDrop = 18
    /// In bits: a stretch away from the call must be that certain. The best of 300 random bytes has 5 to 12, of the constant
    /// heads of HTTP, TLS, DNS and SMB 2 to 9, a decoder with its set-up 12 to 30.
    static let certain = 12
    /// In bits: the same for a stretch that branches back into itself, as decoders do.
    static let certainLoop = 8
    /// How many stretches away from the call are kept, the most certain first.
    static let maxStretches = 64

    /// The stretch that ends at the caller's address, or goes on behind it; empty if nothing before it looks like code.
    public let around: Range<Int>
    /// The other stretches, ascending, without overlaps.
    public let elsewhere: [Range<Int>]

    /// All stretches, ascending, without overlaps.
    public var ranges: [Range<Int>] { (elsewhere + (around.isEmpty ? [] : [around])).sorted { $0.lowerBound < $1.lowerBound } }

    /// - Parameters:
    ///   - caller: the offset of the caller's address; `nil` for bytes that hold no call, such as a stream that carried the code
    ///     in another form: then only the other stretches are looked for.
    ///   - onlyAround: whether the others are left out. Looking for them costs a decoding at every offset.
    public init(of code: ExtractedCode, caller: Int?, architecture: Architecture, onlyAround: Bool = false) {
        guard let decoder = InstructionDecoder(architecture: architecture, code: code, withText: false) else {
            (around, elsewhere) = (0..<0, [])
            return
        }
        let around = caller.map { Self.stretch(around: $0, in: code.bytes.count, decoder) } ?? 0..<0
        self.around = around
        elsewhere = onlyAround ? [] : StretchSearch(code.bytes.count, decoder).stretches(apartFrom: around)
    }

    /// Whether at least half of a range is code.
    public func holds(_ range: Range<Int>) -> Bool {
        let held = ranges.reduce(0) { $0 + $1.clamped(to: range).count }
        return !range.isEmpty && 2 * held >= range.count
    }

    private static func stretch(around caller: Int, in count: Int, _ decoder: borrowing InstructionDecoder) -> Range<Int> {
        guard (0...count).contains(caller) else { return 0..<0 }
        let start =
            caller
            - length(upTo: min(caller, reach), decoder.alignment) { distance in
                decoder.decode(at: caller - distance, limit: caller).map { (distance - $0.range.count, $0.codeBits) }
            }
        // Without code before the call, there is none behind it either: execution would have come from elsewhere.
        guard start < caller else { return caller..<caller }
        return start..<caller + forward(from: caller, upTo: min(count - caller, reach), decoder)
    }

    /// The distance at which the best chain back to the start of distances ends.
    ///
    /// - Parameter step: for a distance, the smaller one at which its instruction ends, and the instruction's bits.
    private static func length(upTo limit: Int, _ unit: Int, _ step: (Int) -> (Int, Int)?) -> Int {
        var best = [0]
        var top = (bits: 0, distance: 0)
        for distance in stride(from: unit, through: limit, by: unit) {
            var bits = best[distance / unit - 1] + OpcodeBits.ofData
            if let (rest, own) = step(distance), rest >= 0, rest.isMultiple(of: unit) { bits = max(bits, best[rest / unit] + own) }
            best.append(bits)
            if bits > top.bits { top = (bits, distance) }
            // The longest instruction may still reach over what lies between.
            if best.suffix(InstructionDecoder.maxLength / unit + 1).allSatisfy({ $0 < top.bits - maxDrop }) { break }
        }
        return top.distance
    }

    /// The instructions behind the call lie one after the other, so that no chain has to be chosen.
    private static func forward(from caller: Int, upTo limit: Int, _ decoder: borrowing InstructionDecoder) -> Int {
        var (bits, length) = (0, 0)
        var top = (bits: 0, length: 0)
        while length < limit, bits >= top.bits - maxDrop {
            if let instruction = decoder.decode(at: caller + length, limit: caller + limit) {
                bits += instruction.codeBits
                length += instruction.range.count
            } else {
                bits += OpcodeBits.ofData
                length += decoder.alignment
            }
            if bits > top.bits { top = (bits, length) }
        }
        return top.length
    }
}

/// The best chains of instructions that end at each offset of a buffer, wherever they begin.
private struct StretchSearch {
    private struct Chain {
        var bits = 0
        var start: Int
        /// Whether an instruction of it branches back into it.
        var loops = false
    }

    /// By the offset that a chain ends at, in units of the alignment.
    private var chains: [Chain]
    private let unit: Int

    init(_ count: Int, _ decoder: borrowing InstructionDecoder) {
        unit = decoder.alignment
        let limit = min(count, CodeExtent.maxSearchedBytes)
        chains = (0...limit / unit).map { Chain(start: $0 * decoder.alignment) }
        for offset in stride(from: 0, to: limit, by: unit) {
            let here = chains[offset / unit]
            extend(here, to: offset + unit, by: OpcodeBits.ofData, loops: false)
            guard let instruction = decoder.decode(at: offset, limit: limit) else { continue }
            let loops = instruction.branchTarget.map { here.start <= $0 && $0 <= offset } ?? false
            extend(here, to: instruction.range.upperBound, by: instruction.codeBits, loops: loops)
        }
    }

    private mutating func extend(_ chain: Chain, to end: Int, by bits: Int, loops: Bool) {
        guard end / unit < chains.count, chain.bits + bits > chains[end / unit].bits else { return }
        chains[end / unit] = Chain(bits: chain.bits + bits, start: chain.start, loops: chain.loops || loops)
    }

    /// The most certain stretches that overlap neither each other nor the one around the call, ascending.
    func stretches(apartFrom around: Range<Int>) -> [Range<Int>] {
        let certain = chains.indices.filter {
            chains[$0].bits >= (chains[$0].loops ? CodeExtent.certainLoop : CodeExtent.certain)
        }.sorted { chains[$0].bits > chains[$1].bits }
        var chosen: [Range<Int>] = []
        for end in certain where chosen.count < CodeExtent.maxStretches {
            let range = chains[end].start..<end * unit
            guard !range.overlaps(around), !chosen.contains(where: range.overlaps) else { continue }
            chosen.append(range)
        }
        return chosen.sorted { $0.lowerBound < $1.lowerBound }
    }
}
