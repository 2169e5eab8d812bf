// SPDX-License-Identifier: Apache-2.0

import BenchSupport
import EpitopeModel
import Signatures
import TestSupport
import TokenSequences

/// One suspicious pool, the signatures made of it, and what they do on streams that they were not made of.
///
/// The signatures are a disjunction: a stream is matched when one of them matches it. Their context is left aside
/// where it is not spoken of, so every hit counts wherever the stream went.
struct Trial {
    var signatures: [Signature]
    /// How many of them ``Proof`` holds long enough and no fill, and to match the samples that they claim.
    var provable: Int
    /// The time of the making alone.
    var milliseconds: Double

    init(signatures: [Signature], provable: Int, milliseconds: Double) {
        self.signatures = signatures
        self.provable = provable
        self.milliseconds = milliseconds
    }

    init(_ samples: [[UInt8]], context: SignatureContext, benign: BenignPool, noiseShare: Double) {
        var made: [TokenSequence] = []
        let time = ContinuousClock().measure {
            made = TokenSequences.make(of: samples, noiseShare: noiseShare, benign: benign)
        }
        milliseconds = time.milliseconds
        signatures = made.map { sequence in
            Signature(
                tokens: sequence.tokens, arrangement: sequence.arrangement, context: context,
                provenance: Provenance(
                    strategy: sequence.arrangement == .sequence ? .tokenSequence : .conjunction, samples: sequence.covered.count,
                    reasons: sequence.reasons))
        }
        provable =
            zip(signatures, made).count { signature, sequence in
                let covered = sequence.covered.filter(samples.indices.contains)
                return signature.isSubstantial && !covered.isEmpty && covered.allSatisfy { signature.matches(samples[$0]) }
            }
    }

    func matches(_ bytes: [UInt8]) -> Bool {
        signatures.contains { $0.matches(bytes) }
    }

    /// How many of the variants no signature matches.
    func missed(_ variants: [[UInt8]]) -> Int {
        variants.filter { !matches($0) }.count
    }

    /// The benign streams that a signature matches.
    func hits(_ streams: [BenignStream]) -> [BenignStream] {
        streams.filter { matches($0.bytes) }
    }
}

/// What the experiments share: the benign streams, sizes, and the seed of all random draws.
struct Laboratory {
    var traffic: BenignTraffic
    /// The part of the benign streams that the generator may see.
    var benign: BenignPool
    var heldOut: [BenignStream]
    /// Unseen variants of each attack.
    var variants: Int
    var seed: UInt64
    /// What the trials made that the goals speak of.
    let signatures = ExperimentSignatures()

    init(traffic: BenignTraffic, variants: Int, seed: UInt64) {
        self.traffic = traffic
        self.variants = variants
        self.seed = seed
        benign = BenignPool(streams: traffic.training.map(\.bytes))
        heldOut = traffic.heldOut
    }

    func random(_ purpose: String) -> SeededGenerator {
        SeededGenerator(seed: seed, purpose)
    }

    /// Variants that no trial has seen.
    func unseen(_ family: AttackFamily, planting planted: [[UInt8]] = []) -> [[UInt8]] {
        var random = random("unseen \(family.name)")
        return (0..<variants).map { _ in family.variant(&random, planting: planted) }
    }
}

/// The worst figures over several trials.
struct Worst {
    private(set) var missed = 0.0
    private(set) var hit = 0.0

    mutating func add(missed: Int, of variants: Int, hit: Int, of streams: Int) {
        self.missed = max(self.missed, variants == 0 ? 0 : 100 * Double(missed) / Double(variants))
        self.hit = max(self.hit, streams == 0 ? 0 : 100 * Double(hit) / Double(streams))
    }
}
