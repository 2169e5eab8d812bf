// SPDX-License-Identifier: Apache-2.0

import Disassembly
import EpitopeModel
import GoodwareIndex
import Signatures
import TokenSequences

/// Makes the candidates of one cluster, strategy by strategy.
struct CandidateMaker {
    /// Finds what several texts have in common, as ``TokenSequences/make(of:noiseShare:benign:reach:isGoodware:)`` finds it.
    typealias Common = ([[UInt8]], Double, BenignPool, Int?, (([UInt8]) -> Bool)?) -> [TokenSequence]

    struct Candidate {
        var tokens: [Signature.Token]
        var arrangement = Signature.Arrangement.sequence
        var strategy: Provenance.Strategy
        var reasons: [String]
        /// Offsets in the reference sample's code.
        var place: Range<Int>?
        /// Whether it was made of the streams that carried the attack.
        var isOfCarriers = false
        var fragileBytes = 0
        /// Whether it was made to hold for variants of few samples (``VariantPatterns``).
        var isOfPatterns = false
    }

    let samples: [Sample]
    /// Offsets of the callers' addresses.
    let callers: [Int]
    let alignment: Alignment
    let rarity: GoodwareRarity?
    /// In bytes: the length of the caller window.
    let window: Int
    /// One for each window of the reference sample's code; empty without goodware.
    let absent: [Bool]
    private(set) var map: CodeMap
    /// By sample: which of its bytes are the attack's code. Candidates are made of nothing else.
    private var code: CodeExtents

    /// `nil` if no sample holds its caller's address.
    init?(samples: [Sample], rarity: GoodwareRarity?, window: Int = CallerWindow.length) {
        let usable = samples.compactMap { sample in Self.caller(of: sample).map { (sample, $0) } }
        guard !usable.isEmpty else { return nil }
        self.samples = usable.map(\.0)
        callers = usable.map(\.1)
        self.rarity = rarity
        self.window = window
        alignment = Alignment(self.samples, callers: callers)
        absent = rarity?.absentWindows(self.samples[alignment.reference].code.bytes) ?? []
        map = CodeMap(self.samples[alignment.reference], caller: callers[alignment.reference])
        code = CodeExtents(self.samples, callers: callers)
    }

    /// The offset of a sample's caller's address; `nil` if it doesn't hold that.
    static func caller(of sample: Sample) -> Int? { sample.code.offset(of: sample.callersAddress).flatMap { $0 > 0 ? $0 : nil } }

    var reference: Sample { samples[alignment.reference] }
    var caller: Int { callers[alignment.reference] }

    /// The bytes that end at the caller's address, as they are.
    mutating func callerWindow() -> Candidate? {
        guard let window = try? CallerWindow.extract(from: reference.code, callersAddress: reference.callersAddress, length: self.window)
        else { return nil }
        let start = max(0, caller - self.window)
        let place = start..<start + window.count
        return Candidate(
            tokens: [.init(bytes: window)], strategy: .callerWindow,
            reasons: [
                "the \(window.count) bytes that end \(place.upperBound == caller ? "at" : "\(place.upperBound - caller) bytes behind") the caller's address"
            ],
            place: place, fragileBytes: fragile(in: place).count)
    }

    /// The positions of the reference's code that another load address, victim or variant has differently, or that are no code.
    private mutating func fragile(in place: Range<Int>) -> Set<Int> {
        let around = code.around(alignment.reference)
        let stretch = stretch(ofSample: alignment.reference, around)
        return Set(map.variable(in: place)).union(place.filter { !around.contains($0) || stretch.fragile.contains($0) })
    }

    private func stretch(ofSample index: Int, _ range: Range<Int>) -> PatternStretch {
        let sample = samples[index]
        let instructions = Disassembly.instructions(
            of: sample.code, callersAddress: sample.callersAddress, architecture: sample.architecture, part: range, withText: false)
        return PatternStretch(instructions.filter { range.contains($0.range.lowerBound) }, code: sample.code.bytes)
    }

    /// More samples show what they have in common by themselves.
    static let maxSamplesOfPatterns = TokenSequences.samplesForBounds - 1

    /// What few samples have in common instruction by instruction (``VariantPatterns``): around the call, or if that is too
    /// little, elsewhere.
    mutating func patterns() -> [Candidate] {
        guard samples.count <= Self.maxSamplesOfPatterns else { return [] }
        let order = [alignment.reference] + samples.indices.filter { $0 != alignment.reference }
        var around: [PatternStretch] = []
        for index in order where !code.around(index).isEmpty {
            around.append(stretch(ofSample: index, code.around(index)).near(callers[index]))
        }
        var found = around.count == order.count ? VariantPatterns.around(around, caller: caller) : nil
        if found == nil {
            var elsewhere: [[PatternStretch]] = []
            for index in order {
                let ranges = code.all(index).filter { $0 != code.around(index) }.sorted { $0.count > $1.count }
                elsewhere.append(ranges.prefix(Self.maxStretches).map { stretch(ofSample: index, $0).near($0.lowerBound) })
            }
            found = VariantPatterns.elsewhere(elsewhere)
        }
        guard let tokens = found?.tokens, let place = found?.place else { return [] }
        let isOne = tokens.count == 1
        let count = samples.count == 1 ? "a sample" : "\(samples.count) samples"
        return [
            Candidate(
                tokens: tokens, strategy: isOne ? .maskedWindow : .tokenSequence,
                reasons: ["the instructions of \(count), without their operands and without those that do nothing"],
                place: isOne ? place : nil, isOfPatterns: true)
        ]
    }

    /// How many stretches of code away from the call are compared, the longest first.
    private static let maxStretches = 8

    /// The caller window with everything masked that varies, and extended until it has ``GoodwareIndex/windowLength``
    /// fixed bytes in a row, as far as every aligned sample has code there.
    mutating func maskedWindow() -> Candidate? {
        let members = alignment.members
        let around = members.map { code.around($0) }
        let back = min(zip(members, around).map { callers[$0] - $1.lowerBound }.min() ?? 0, max(Alignment.reach, self.window))
        let ahead = min(zip(members, around).map { $1.upperBound - callers[$0] }.min() ?? 0, max(0, self.window - back))
        guard back > 0 else { return nil }
        let whole = caller - back..<caller + ahead
        var why: [String: Int] = [:]
        var masked = Set<Int>()
        for position in map.variable(in: whole) {
            masked.insert(position)
            why[map.kinds[position]?.rawValue ?? "", default: 0] += 1
        }
        for member in members where member != alignment.reference {
            var others = CodeMap(samples[member], caller: callers[member])
            for position in others.variable(in: callers[member] - back..<callers[member] + ahead) {
                masked.insert(position - callers[member] + caller)
            }
            for position in whole {
                let other = samples[member].code.bytes[position - caller + callers[member]]
                if other != reference.code.bytes[position], masked.insert(position).inserted {
                    why["differing between samples", default: 0] += 1
                }
            }
        }
        guard !masked.isEmpty else { return nil }
        let place = Self.window(in: whole, caller: caller, masked: masked, from: self.window)
        let inside = place.filter(masked.contains)
        guard inside.count < place.count else { return nil }
        let token = Signature.Token(bytes: Array(reference.code.bytes[place]), masked: inside.map { $0 - place.lowerBound })
        let reasons = why.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.value) bytes masked: \($0.key)" }
        return Candidate(
            tokens: [token], strategy: .maskedWindow,
            reasons: ["the \(place.count) bytes at the caller's address, of which \(inside.count) would change with addresses or victims"]
                + reasons,
            place: place, fragileBytes: fragile(in: place).subtracting(inside).count)
    }

    /// The shortest window that ends where the caller window does and has 32 fixed bytes in a row; if there is none, the
    /// shortest with enough fixed bytes for a proof.
    ///
    /// - Parameter shortest: in bytes.
    static func window(in whole: Range<Int>, caller: Int, masked: Set<Int>, from shortest: Int = CallerWindow.length) -> Range<Int> {
        var enough: Range<Int>?
        let longest = whole.count
        for length in min(shortest, longest)...longest {
            let window = whole.upperBound - length..<whole.upperBound
            var (run, longestRun, fixed) = (0, 0, 0)
            for position in window {
                run = masked.contains(position) ? 0 : run + 1
                longestRun = max(longestRun, run)
                fixed += run > 0 ? 1 : 0
            }
            if longestRun >= GoodwareIndex.windowLength { return window }
            if fixed >= Signature.minFixedBytes, enough == nil { enough = window }
        }
        return enough ?? whole
    }

    /// A region full of masked or monotonous windows is not searched to its end.
    private static let maxWindowsTried = 4096

    /// Windows elsewhere in the code whose bytes the index proves absent, nearest to the caller's address first.
    mutating func rareWindows(limit: Int) -> [Candidate] {
        guard absent.contains(true) else { return [] }
        let length = GoodwareIndex.windowLength
        let bytes = reference.code.bytes
        let spans = (reference.onWire ?? []).isEmpty ? [bytes.indices] : reference.onWire ?? []
        let stretches = code.all(alignment.reference)
        func lies(_ start: Int, in ranges: [Range<Int>]) -> Bool {
            ranges.contains { $0.lowerBound <= start && start + length <= $0.upperBound }
        }
        let starts = absent.indices.filter { absent[$0] && lies($0, in: stretches) && lies($0, in: spans) }
        // The window that ends at the caller's address is the caller window already.
        let nearest = starts.sorted { abs(caller - $0 - length) < abs(caller - $1 - length) }
        var chosen: [Candidate] = []
        for start in nearest.prefix(Self.maxWindowsTried) where chosen.count < limit {
            let place = start..<start + length
            guard place.upperBound != caller, !chosen.contains(where: { $0.place?.overlaps(place) ?? false }),
                Set(bytes[place]).count >= Signature.minDistinctBytes, isShared(place), !TextBytes.isMostlyText(Array(bytes[place])),
                map.variable(in: place).isEmpty
            else { continue }
            let distance = abs(caller - place.upperBound)
            let side = place.upperBound < caller ? "before" : "behind"
            chosen.append(
                Candidate(
                    tokens: [.init(bytes: Array(bytes[place]))], strategy: .rareWindow,
                    reasons: ["\(length) bytes that end \(distance) \(side) the caller's address, proven absent from goodware"],
                    place: place))
        }
        return chosen
    }

    /// Whether the aligned samples hold the same bytes at the same place.
    private func isShared(_ place: Range<Int>) -> Bool {
        let window = reference.code.bytes[place]
        return alignment.members.allSatisfy { member in
            let start = place.lowerBound - caller + callers[member]
            let other = samples[member].code.bytes
            return start >= 0 && start + place.count <= other.count && other[start..<start + place.count].elementsEqual(window)
        }
    }

    /// The tokens that several samples have in common: of the code that crossed the network, or if none did, of the
    /// streams that carried it.
    mutating func sequences(benign: BenignPool, noiseShare: Double, common: Common) -> [Candidate] {
        guard samples.count > 1 else { return [] }
        let isCodeOnWire = samples.contains { !($0.onWire ?? []).isEmpty }
        let carriers = samples.filter { !$0.carriers.isEmpty }
        let isOfCarriers = !isCodeOnWire && carriers.count > 1
        var texts = isOfCarriers ? carriers.map(CodeText.init(ofCarrierOf:)) : []
        if !isOfCarriers { for index in ReporterTurns.balanced(Self.maxTexts, of: samples) { texts.append(codeText(of: index)) } }
        let kept = CodeText.withoutCopies(texts)
        guard kept.count > 1 else { return [] }
        let rarity = rarity
        let isGoodware: (([UInt8]) -> Bool)? = rarity.map { rarity in
            { $0.count >= GoodwareIndex.windowLength && !rarity.absentWindows($0).contains(true) }
        }
        let reach = samples.allSatisfy { $0.context.transport == .udp } ? nil : EngineReach.streamSpan
        let found = common(kept, noiseShare, benign, reach, isGoodware)
        return found.compactMap { sequence in
            var reasons = [
                "common to \(sequence.covered.count) of \(kept.count) \(isOfCarriers ? "streams that carried the attack" : "samples")"
            ]
            if found.count > 1 { reasons.append("one of \(found.count) alternatives that share no token: each alone is a signature") }
            let signature = Signature(tokens: sequence.tokens, arrangement: sequence.arrangement, context: .any)
            guard !TextBytes.isPart(of: signature) else { return nil }
            return Candidate(
                tokens: sequence.tokens, arrangement: sequence.arrangement,
                strategy: sequence.arrangement == .conjunction ? .conjunction : .tokenSequence,
                reasons: reasons + sequence.reasons, isOfCarriers: isOfCarriers)
        }
    }

    /// How many samples are compared, the newest of each reporter: telling the code of one takes some milliseconds.
    private static let maxTexts = 64

    /// The code of a sample: all of it, or from the first to the last byte that was seen on the wire. What lies between may
    /// have been decoded from the same stream.
    private mutating func codeText(of index: Int) -> CodeText {
        let bytes = samples[index].code.bytes
        let spans = samples[index].onWire ?? []
        let part = (spans.map(\.lowerBound).min() ?? 0)..<(spans.map(\.upperBound).max() ?? bytes.count)
        return CodeText(bytes, code: code.all(index), part: part.clamped(to: bytes.indices))
    }
}
