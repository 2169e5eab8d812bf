// SPDX-License-Identifier: Apache-2.0

import Signatures

import func Glibc.log2

/// Chooses the fewest of the common tokens that identify the attack.
///
/// The sender of samples can plant runs in them that later samples will not have (red herrings). So a signature requires
/// no more tokens than necessary, and further signatures are made of the others: a planted run then blinds one of them,
/// not all. Most of them use the strongest tokens that are left. The last uses the weakest, because planted runs are
/// seldom as short as the parts that an attack can't do without.
struct CoreSelection {
    /// In bits: the evidence that a signature's tokens must have together. A benign stream matches by chance less often than
    /// once in 2^24.
    static let enoughBits = 24.0
    /// In bits: evidence that is enough if nothing in a large pool matches.
    static let fewBits = 6.0
    /// Below this, gaps get bounds if the samples allow it: short tokens occur somewhere in any long file.
    static let strongBits = 48.0
    static let largePool = 200
    /// The most signatures of the strongest tokens.
    static let maxCores = 3
    /// In bits: the most evidence of one token, however long.
    static let maxBitsPerToken = 64.0

    let selection: TokenSelection
    /// The evidence of each token, in bits.
    let bits: [Double]
    /// For each token, the streams that contain it.
    private let holding: [TokenPresence.Streams]
    private let benign: BenignPool
    /// In bytes: how long a match may be; `nil` for any length.
    private let reach: Int?
    var benignCount: Int { benign.streams.count }

    init(
        _ selection: TokenSelection, presence: inout TokenPresence, significance: Significance, reach: Int? = nil,
        isGoodware: (([UInt8]) -> Bool)?
    ) {
        self.selection = selection
        self.reach = reach
        let benign = presence.pool
        self.benign = benign
        holding = presence.streams(holding: selection.tokens)
        bits = zip(selection.tokens, holding).map { token, streams in
            if isGoodware?(token) == true { return 0 }
            let count = streams.count
            if count > 0 { return -log2(Double(count) / Double(benign.streams.count)) }
            // Not in the pool: as improbable as its bytes.
            return min(Self.maxBitsPerToken, max(0, -significance.chance(of: token) / 0.693_147_180_559_945_3 - 12))
        }
    }

    /// A signature of the disjunction: its tokens, by index, and whether its gaps need bounds.
    struct Core {
        var indices: [Int]
        var needsBounds = false
    }

    /// The signatures. Each is sufficient alone, and no two share a token.
    ///
    /// If no few tokens are sufficient, all of them together may be, given a large enough pool.
    func cores() -> [Core] {
        // Of equal evidence, the longer.
        var left = selection.tokens.indices.filter { bits[$0] > 0 }.sorted {
            (bits[$0], selection.tokens[$0].count) > (bits[$1], selection.tokens[$1].count)
        }
        var cores: [Core] = []
        while cores.count < Self.maxCores, let core = core(of: left) {
            cores.append(core)
            left.removeAll { core.indices.contains($0) }
        }
        if !cores.isEmpty, let weakest = core(of: left.reversed()) { cores.append(weakest) }
        guard cores.isEmpty, benign.streams.count >= Self.largePool else { return cores }
        let all = Core(indices: Array(selection.tokens.indices), needsBounds: selection.hasBounds)
        return isNear(all.indices) && isSufficient(all, minBits: Self.fewBits) ? [all] : []
    }

    /// The tokens of a signature with the gaps that it requires.
    func tokens(of core: Core) -> [Signature.Token] {
        core.indices.enumerated().map { position, index in
            let before = position == 0 ? nil : core.indices[position - 1]
            let gap = before.flatMap { selection.gap(from: $0, to: index, isBounded: core.needsBounds) }
            return Signature.Token(bytes: selection.tokens[index], gap: gap)
        }
    }

    /// The first tokens of an order that are enough evidence and match nothing benign, in the order of the attack; if there
    /// are enough of them, so many that they are substantial (`Signature.isSubstantial`). If those near to the first one
    /// are not enough, those near to the next one.
    private func core(of order: [Int]) -> Core? {
        for start in order.indices {
            let near = order[start...].filter { isNear([order[start], $0]) }
            if let core = nearCore(of: near) { return core }
            // Without tokens that are too far away, another beginning only leaves some out.
            if near.count == order.count - start { return nil }
        }
        return nil
    }

    /// Whether a match of these tokens is short enough in every covered sample.
    private func isNear(_ indices: [Int]) -> Bool {
        guard let reach, let first = indices.min(), let last = indices.max() else { return true }
        return selection.layouts.allSatisfy { $0[last] + selection.tokens[last].count - $0[first] <= reach }
    }

    private func nearCore(of order: [Int]) -> Core? {
        var chosen: [Int] = []
        var least: Core?
        for index in order where isNear(chosen + [index]) {
            chosen.append(index)
            let core = Core(indices: chosen.sorted(), needsBounds: selection.hasBounds && evidence(of: chosen) < Self.strongBits)
            guard isSufficient(core, minBits: Self.enoughBits) else { continue }
            if Signature.isSubstantial(chosen.flatMap { selection.tokens[$0] }) { return core }
            least = least ?? core
        }
        return least
    }

    /// In bits.
    func evidence(of indices: [Int]) -> Double { indices.reduce(0) { $0 + bits[$1] } }

    private func isSufficient(_ core: Core, minBits: Double) -> Bool {
        guard let first = core.indices.first, evidence(of: core.indices) >= minBits else { return false }
        let signature = Signature(tokens: tokens(of: core), arrangement: selection.arrangement, context: .any)
        let holdingAll = core.indices.dropFirst().reduce(holding[first]) { $0.intersection(holding[$1]) }
        return !holdingAll.indices.contains { signature.matches(benign.streams[$0]) }
    }
}
