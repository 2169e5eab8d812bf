// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import GoodwareIndex
import Signatures

import func Glibc.log2

/// Ranks candidates, and adds the reasons to their provenance.
struct Ranking {
    let maker: CandidateMaker

    func rank(_ candidates: [CandidateMaker.Candidate], limit: Int) -> [RankedCandidate] {
        var seen = Set<String>()
        let scored = candidates.compactMap { candidate -> RankedCandidate? in
            guard !candidate.tokens.isEmpty else { return nil }
            let covered = coverage(of: candidate)
            let contexts = covered.map { maker.samples[$0].context }
            let context = contexts.dropFirst().reduce(contexts.first ?? maker.reference.context) { $0.merged(with: $1) }
            let signature = Signature(
                tokens: candidate.tokens, arrangement: candidate.arrangement, context: context,
                provenance: Provenance(strategy: candidate.strategy, samples: maker.samples.count, reasons: candidate.reasons))
            guard seen.insert(signature.id).inserted else { return nil }
            return RankedCandidate(signature: signature, score: score(candidate, covered: covered), place: candidate.place)
        }
        // Stable: of equals, the one made first comes first.
        let order = scored.indices.sorted { one, two in
            if scored[one].score.advantage(over: scored[two].score) != nil { return true }
            return scored[two].score.advantage(over: scored[one].score) == nil && one < two
        }
        var ranked = order.map { scored[$0] }
        for index in ranked.indices {
            var reasons = (ranked[index].signature.provenance?.reasons ?? []) + ranked[index].score.statements
            if index + 1 < ranked.count, let advantage = ranked[index].score.advantage(over: ranked[index + 1].score) {
                reasons.append("ranked before the \(Self.name(ranked[index + 1])) by: \(advantage)")
            }
            ranked[index].signature.provenance?.reasons = reasons
        }
        return Array(ranked.prefix(limit))
    }

    private static func name(_ candidate: RankedCandidate) -> String {
        (candidate.signature.provenance?.strategy.rawValue ?? "candidate").split(separator: "-").joined(separator: " ")
    }

    private func coverage(of candidate: CandidateMaker.Candidate) -> [Int] {
        let signature = Signature(tokens: candidate.tokens, arrangement: candidate.arrangement, context: .any)
        return maker.samples.indices.filter { index in
            if let place = candidate.place, !candidate.isOfCarriers, index == maker.alignment.reference, !place.isEmpty { return true }
            let sample = maker.samples[index]
            return candidate.isOfCarriers ? sample.carriers.contains(where: signature.matches) : signature.matches(sample.code.bytes)
        }
    }

    private func score(_ candidate: CandidateMaker.Candidate, covered: [Int]) -> Score {
        let runs = candidate.tokens.flatMap { token in token.fixedRuns.map { Array(token.bytes[$0]) } }
        let fixed = runs.flatMap { $0 }
        return Score(
            isSubstantial: Signature.isSubstantial(fixed, for: Signature.Substance(callerWindow: maker.window)),
            covered: covered.count, samples: maker.samples.count, isOnWire: isOnWire(candidate, covered: covered),
            isAbsent: isAbsent(candidate), holdsForVariants: candidate.isOfPatterns && maker.samples.count > 1,
            fragileBytes: candidate.fragileBytes,
            bits: maker.rarity.map { rarity in runs.reduce(0) { $0 + rarity.surprise($1) } } ?? Self.ownBits(fixed),
            maskedPositions: candidate.tokens.reduce(0) { $0 + $1.masked.count },
            distance: candidate.place.map { abs($0.upperBound - maker.caller) },
            length: candidate.tokens.reduce(0) { $0 + $1.bytes.count })
    }

    /// Whether the index proves it absent: by the answers for the whole code if the candidate lies in it.
    private func isAbsent(_ candidate: CandidateMaker.Candidate) -> Bool? {
        guard let rarity = maker.rarity else { return nil }
        guard let place = candidate.place, candidate.tokens.count == 1 else { return rarity.provesAbsence(of: candidate.tokens) }
        return candidate.tokens[0].fixedRuns.contains { run in
            let last = run.upperBound - GoodwareIndex.windowLength
            guard last >= run.lowerBound else { return false }
            return (run.lowerBound...last).contains { start in
                maker.absent.indices.contains(place.lowerBound + start) && maker.absent[place.lowerBound + start]
            }
        }
    }

    private func isOnWire(_ candidate: CandidateMaker.Candidate, covered: [Int]) -> Bool? {
        if candidate.isOfCarriers { return true }
        let signature = Signature(tokens: candidate.tokens, arrangement: candidate.arrangement, context: .any)
        let carriers = covered.flatMap { maker.samples[$0].carriers }
        if carriers.contains(where: signature.matches) { return true }
        let observed = covered.compactMap { index in maker.samples[index].onWire.map { (maker.samples[index], $0) } }
        guard !observed.isEmpty || !carriers.isEmpty else { return nil }
        return observed.contains { sample, spans in
            spans.contains { signature.matches(Array(sample.code.bytes[$0.clamped(to: sample.code.bytes.indices)])) }
        }
    }

    /// The entropy of the bytes by their own distribution (Shannon), times their number.
    private static func ownBits(_ bytes: [UInt8]) -> Double {
        var counts = [Int](repeating: 0, count: 256)
        for byte in bytes { counts[Int(byte)] += 1 }
        return counts.reduce(0) { sum, count in
            count == 0 ? sum : sum + Double(count) * log2(Double(bytes.count) / Double(count))
        }
    }
}
