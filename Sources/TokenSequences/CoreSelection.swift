import Signatures
import func Glibc.log2

/// Chooses, of what samples have in common, as few tokens as identify the attack.
///
/// Whoever sends the samples can plant runs in them that later samples will not have (red herrings). So a signature
/// asks for no more than it must, what is left over is optional, and further signatures are made of it: a run that was
/// planted then blinds one of them, not all.
struct CoreSelection {
    /// In bits: the evidence that a signature's tokens must bring together. A stream of benign traffic matches by
    /// chance less often than once in 2^24.
    static let enoughBits = 24.0
    /// Evidence that is enough together with a large pool in which nothing matches.
    static let fewBits = 6.0
    static let largePool = 200
    /// The most signatures of one disjunction.
    static let mostSequences = 3
    /// In bits: what one token can bring at most, however long.
    static let mostBitsOfToken = 64.0

    let selection: TokenSelection
    /// The evidence of each token, in bits.
    let bits: [Double]
    private let presence: [UInt64]
    private let benign: BenignPool
    var benignCount: Int { benign.streams.count }

    init(_ selection: TokenSelection, benign: BenignPool, significance: Significance, isGoodware: (([UInt8]) -> Bool)?) {
        self.selection = selection
        self.benign = benign
        let presence = benign.presence(of: selection.tokens)
        self.presence = presence
        bits = selection.tokens.enumerated().map { index, token in
            let holding = presence.count { $0 >> UInt64(index) & 1 == 1 }
            if isGoodware?(token) == true { return 0 }
            if holding > 0 { return -log2(Double(holding) / Double(benign.streams.count)) }
            // Never seen in the pool: as improbable as its bytes make it.
            return min(Self.mostBitsOfToken, max(0, -significance.chance(of: token) / 0.693_147_180_559_945_3 - 12))
        }
    }

    /// A signature of the disjunction: its tokens, by index, and whether its gaps need bounds.
    struct Core {
        var indices: [Int]
        var needsBounds = false
    }

    /// The signatures, each sufficient alone and none sharing a token with another.
    ///
    /// Where no few tokens suffice, all of them together may, in a pool that is large enough to speak; and where even
    /// they lie somewhere in long benign streams, they may not lie as near to each other there as in the attack.
    func cores() -> [Core] {
        var left = Array(selection.tokens.indices)
        var cores: [Core] = []
        while cores.count < Self.mostSequences, let core = core(of: left) {
            cores.append(Core(indices: core))
            left.removeAll { core.contains($0) }
        }
        guard cores.isEmpty, benign.streams.count >= Self.largePool else { return cores }
        let all = Array(selection.tokens.indices)
        if isSufficient(all, least: Self.fewBits) { return [Core(indices: all)] }
        let bounded = Core(indices: all, needsBounds: true)
        return selection.hasBounds && isSufficient(all, least: Self.fewBits, isBounded: true) ? [bounded] : []
    }

    /// The tokens of a signature with the gaps that it asks for.
    func tokens(of core: Core) -> [Signature.Token] {
        core.indices.enumerated().map { position, index in
            let before = position == 0 ? nil : core.indices[position - 1]
            let gap = before.flatMap { selection.gap(from: $0, to: index, isBounded: core.needsBounds) }
            return Signature.Token(bytes: selection.tokens[index], gap: gap)
        }
    }

    /// The fewest tokens, the most telling first, that bring enough evidence and match nothing benign.
    private func core(of indices: [Int]) -> [Int]? {
        var chosen: [Int] = []
        for index in indices.sorted(by: { (bits[$0], selection.tokens[$0].count) > (bits[$1], selection.tokens[$1].count) }) where bits[index] > 0 {
            chosen.append(index)
            if isSufficient(chosen, least: Self.enoughBits) { return chosen.sorted() }
        }
        return nil
    }

    private func isSufficient(_ chosen: [Int], least: Double, isBounded: Bool = false) -> Bool {
        guard chosen.reduce(0, { $0 + bits[$1] }) >= least else { return false }
        let mask = chosen.reduce(UInt64(0)) { $0 | 1 << UInt64($1) }
        let signature = Signature(
            tokens: tokens(of: Core(indices: chosen.sorted(), needsBounds: isBounded)),
            arrangement: selection.arrangement == .sequence ? .sequence : .conjunction, context: .any)
        return !zip(presence, benign.streams).contains { held, stream in held & mask == mask && signature.matches(stream) }
    }
}
