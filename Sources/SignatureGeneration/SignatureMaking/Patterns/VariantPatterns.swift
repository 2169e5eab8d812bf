// SPDX-License-Identifier: Apache-2.0

import Disassembly
import Signatures

/// What the variants of one code have in common, instruction by instruction: so few samples that bytes alone don't show it are
/// compared by what each instruction does, with its operands masked, and without the instructions that do nothing.
///
/// What samples share is the longest common subsequence of their patterns, weighed by fixed bytes. Where one sample has a
/// pattern in another place, the order of what lies between is not the attack's: it is left out, and some patterns around it.
struct VariantPatterns {
    /// In bytes: fixed bytes enough to be found in no goodware; more would only be missed by more variants.
    static let wantedFixedBytes = 22
    /// How many patterns on each side of reordered ones are left out at most, as long as enough remain.
    private static let maxDoubtful = 3
    /// The same, in fixed bytes.
    private static let minFixedBytesInOrder = 18
    /// Aligned patterns: those of the reference that every other sample has, each with its place there.
    private struct Common {
        var patterns: [InstructionPattern]
        /// For each sample, the places of the patterns; the reference's first.
        var places: [[Range<Int>]]
        var hasFiller: Bool

        var fixedBytes: Int { patterns.reduce(0) { $0 + $1.fixedBytes } }

        /// Some of the patterns, by index.
        func part(_ indices: some Sequence<Int>) -> Common {
            Common(
                patterns: indices.map { patterns[$0] }, places: places.map { places in indices.map { places[$0] } }, hasFiller: hasFiller)
        }

        /// For each pattern but the first, the bytes between it and the one before, in each sample.
        private var distances: [[Int]] {
            patterns.indices.dropFirst().map { index in places.map { max(0, $0[index].lowerBound - $0[index - 1].upperBound) } }
        }

        /// The patterns that are right behind the one before them in every sample.
        var adjacent: [Int] { distances.indices.filter { distances[$0].max() == 0 }.map { $0 + 1 } }

        /// - Parameter tied: a pattern that is taken to be so in every variant.
        func tokens(tied: Int? = nil) -> PatternTokens {
            PatternTokens(patterns, distances: distances, mayGrow: hasFiller, tied: tied)
        }
    }

    /// The tokens of code around the call.
    ///
    /// - Parameters:
    ///   - stretches: of each sample, that around its call (``PatternStretch/near(_:)``); the reference's first.
    ///   - caller: the offset of the reference's caller's address.
    static func around(_ stretches: [PatternStretch], caller: Int) -> PatternTokens? {
        guard let common = common(stretches) else { return nil }
        let split = common.patterns.firstIndex { $0.place.lowerBound >= caller } ?? common.patterns.count
        return tokens(common, stretches.count == 1 ? window(common, over: split) : nearest(common, split))
    }

    /// The tokens of other code, such as a decoder.
    ///
    /// - Parameter stretches: of each sample, its other stretches of code; the reference's first.
    static func elsewhere(_ stretches: [[PatternStretch]]) -> PatternTokens? {
        var best: PatternTokens?
        for stretch in stretches.first ?? [] {
            var chosen = [stretch]
            for others in stretches.dropFirst() {
                let alike = others.map { ($0, common([stretch, $0])?.fixedBytes ?? 0) }.max { $0.1 < $1.1 }
                if let alike { chosen.append(alike.0) }
            }
            guard chosen.count == stretches.count, let common = common(chosen),
                let tokens = tokens(common, densest(common)), tokens.fixedBytes > best?.fixedBytes ?? 0
            else { continue }
            best = tokens
        }
        return best
    }

    /// How far beside the chosen patterns one is taken whose bytes can be searched for, in patterns.
    private static let maxBeside = 16

    /// The tokens of chosen patterns. Where none of them has bytes that engines can search for, that of the nearest one that has,
    /// too; else two that follow one another in every sample are taken to do so in every variant.
    private static func tokens(_ common: Common, _ chosen: [Int]) -> PatternTokens? {
        guard let first = chosen.first, let last = chosen.last else { return nil }
        let part = common.part(chosen)
        if let tokens = substantial(part.tokens()) { return tokens }
        func distance(_ index: Int) -> Int { max(first - index, index - last, 0) }
        let beside = common.patterns.indices.filter { distance($0) <= maxBeside && !chosen.contains($0) && common.patterns[$0].isScannable }
            .min { distance($0) < distance($1) }
        if let beside, let tokens = substantial(common.part((chosen + [beside]).sorted()).tokens()) { return tokens }
        return part.adjacent.lazy.compactMap { substantial(part.tokens(tied: $0)) }.first
    }

    /// `nil` where no engine could search for them, or they identify nothing, or are too many.
    private static func substantial(_ tokens: PatternTokens) -> PatternTokens? {
        let signature = Signature(tokens: tokens.tokens, context: .any)
        return signature.isWellFormed && signature.isSubstantial && signature.hasScannableRun ? tokens : nil
    }
}

// MARK: Alignment

extension VariantPatterns {
    /// What all stretches have in common, in one order.
    private static func common(_ stretches: [PatternStretch]) -> Common? {
        guard let reference = stretches.first, !reference.patterns.isEmpty else { return nil }
        var places = reference.patterns.map { [$0.place] }
        var kept = Set(reference.patterns.indices)
        for other in stretches.dropFirst() {
            let pairs = inOrder(alignment(reference.patterns, other.patterns), reference.patterns, other.patterns)
            kept.formIntersection(pairs.map(\.0))
            for (one, two) in pairs { places[one].append(other.patterns[two].place) }
        }
        let indices = kept.sorted()
        guard !indices.isEmpty else { return nil }
        return Common(
            patterns: indices.map { reference.patterns[$0] },
            places: stretches.indices.map { sample in indices.map { places[$0][sample] } },
            hasFiller: stretches.contains(where: \.hasFiller))
    }

    /// The longest common subsequence (Wagner and Fischer 1974), by fixed bytes.
    private static func alignment(_ one: [InstructionPattern], _ two: [InstructionPattern]) -> [(Int, Int)] {
        let width = two.count + 1
        var best = [Int](repeating: 0, count: (one.count + 1) * width)
        for first in one.indices.reversed() {
            for second in two.indices.reversed() {
                best[first * width + second] =
                    one[first].isAlike(two[second])
                    ? best[(first + 1) * width + second + 1] + one[first].fixedBytes
                    : max(best[(first + 1) * width + second], best[first * width + second + 1])
            }
        }
        var pairs: [(Int, Int)] = []
        var (first, second) = (0, 0)
        while first < one.count, second < two.count {
            if one[first].isAlike(two[second]) {
                pairs.append((first, second))
                (first, second) = (first + 1, second + 1)
            } else if best[(first + 1) * width + second] >= best[first * width + second + 1] {
                first += 1
            } else {
                second += 1
            }
        }
        return pairs
    }

    /// Without the pairs that a pattern of both samples has before it in one and behind it in the other, and without some around
    /// them: what may be in any order is seldom a single instruction.
    private static func inOrder(_ pairs: [(Int, Int)], _ one: [InstructionPattern], _ two: [InstructionPattern]) -> [(Int, Int)] {
        let paired = (Set(pairs.map(\.0)), Set(pairs.map(\.1)))
        var left = two.indices.filter { !paired.1.contains($0) }
        var crossed: [Int] = []
        for first in one.indices where !paired.0.contains(first) && one[first].fixedBytes >= PatternTokens.minFixedBytes {
            guard let moved = left.first(where: { two[$0].isAlike(one[first]) }) else { continue }
            left.removeAll { $0 == moved }
            crossed += pairs.indices.filter { (pairs[$0].0 < first) != (pairs[$0].1 < moved) }
        }
        guard let least = crossed.min(), let most = crossed.max() else { return pairs }
        for doubtful in stride(from: maxDoubtful, through: 1, by: -1) {
            let kept = pairs.indices.filter { $0 < least - doubtful || $0 > most + doubtful }
            if kept.reduce(0, { $0 + one[pairs[$1].0].fixedBytes }) >= minFixedBytesInOrder { return kept.map { pairs[$0] } }
        }
        return pairs.indices.filter { $0 < least || $0 > most }.map { pairs[$0] }
    }
}

// MARK: Choice

extension VariantPatterns {
    /// Enough patterns before the call, the nearest; if there are too few, those behind it as well.
    private static func nearest(_ common: Common, _ split: Int) -> [Int] {
        var fixed = 0
        var chosen: [Int] = []
        for index in Array((0..<split).reversed()) + Array(split..<common.patterns.count) where fixed < wantedFixedBytes {
            chosen.append(index)
            fixed += common.patterns[index].fixedBytes
        }
        return chosen.sorted()
    }

    /// In bits a pattern: how much more certain those behind the call must be than those before it, which led to it.
    private static let preferenceBefore = 0.5

    /// Of one sample: the patterns over the call that are enough and most certainly code. What else a chain begins and ends with
    /// may be data that happens to look like code.
    private static func window(_ common: Common, over split: Int) -> [Int] {
        bestWindow(common) { window in
            window.lowerBound < max(1, split) && window.upperBound >= split
        } measure: { window in
            certainty(of: window, common) - (window.upperBound > split ? preferenceBefore : 0)
        }
    }

    /// The patterns that are enough: of one sample those that are most certainly code, of several those in the fewest bytes, since
    /// those further away may be alike by chance.
    private static func densest(_ common: Common) -> [Int] {
        bestWindow(common) { _ in
            true
        } measure: { window in
            guard common.places.count > 1 else { return certainty(of: window, common) }
            return -Double(common.patterns[window.upperBound - 1].place.upperBound - common.patterns[window.lowerBound].place.lowerBound)
        }
    }

    /// In bits a pattern.
    private static func certainty(of window: Range<Int>, _ common: Common) -> Double {
        Double(window.reduce(0) { $0 + common.patterns[$1].codeBits }) / Double(window.count)
    }

    /// The best of the shortest windows with enough fixed bytes that keep the bounds of a signature; all patterns if there is none.
    private static func bestWindow(
        _ common: Common, isMeant: (Range<Int>) -> Bool, measure: (Range<Int>) -> Double
    ) -> [Int] {
        let fixed = common.patterns.map(\.fixedBytes)
        var best: (window: Range<Int>, measure: Double)?
        for start in fixed.indices {
            var (end, sum) = (start, 0)
            while end < fixed.count, sum < wantedFixedBytes || !isMeant(start..<end) {
                sum += fixed[end]
                end += 1
            }
            let bytes = common.patterns[start..<end].reduce(0) { $0 + $1.bytes.count }
            guard sum >= wantedFixedBytes, isMeant(start..<end), end - start <= Signature.maxTokens, bytes <= Signature.maxMaskedTokenBytes
            else { continue }
            let value = measure(start..<end)
            if value > best?.measure ?? -.infinity { best = (start..<end, value) }
        }
        return Array(best?.window ?? 0..<fixed.count)
    }
}
