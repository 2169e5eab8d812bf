// SPDX-License-Identifier: Apache-2.0

import BenchSupport
import TestSupport
import TokenSequences

/// False negatives and false positives with noise in the suspicious pool.
enum NoiseExperiment {
    enum Kind: String, CaseIterable {
        /// Streams of the traffic that the generator's benign pool lacks.
        case benign
        case random
        /// As in Perdisci and others 2006: each noise stream has the protocol's words and a set of fake tokens that it
        /// shares, in another order, with one variant of the attack, so that it looks more like that variant than the
        /// variants look like each other.
        case crafted
    }

    static func run(_ laboratory: Laboratory, attackSamples: Int, shares: [Int]) -> (upToHalf: Worst, all: Worst) {
        var (upToHalf, all) = (Worst(), Worst())
        var rows: [[String]] = []
        for family in AttackFamily.published {
            Report.progress("noise: \(family.name)")
            let variants = laboratory.unseen(family)
            for kind in Kind.allCases {
                var cells: [String] = []
                for share in shares {
                    let samples = pool(laboratory, family, kind, attackSamples: attackSamples, share: share)
                    let trial = Trial(
                        samples, context: family.context, benign: laboratory.benign, noiseShare: max(0.5, Double(share) / 100))
                    let (missed, hits) = (trial.missed(variants), trial.hits(laboratory.heldOut).count)
                    all.add(missed: missed, of: variants.count, hit: hits, of: laboratory.heldOut.count)
                    if share <= 50 {
                        upToHalf.add(missed: missed, of: variants.count, hit: hits, of: laboratory.heldOut.count)
                        laboratory.signatures.add(trial)
                    }
                    cells.append(
                        Report.percent(missed, of: variants.count) + "/" + Report.percent(hits, of: laboratory.heldOut.count))
                }
                rows.append([family.name, kind.rawValue] + cells)
            }
        }
        Report.table(
            "Noise: \(attackSamples) samples of the attack, noise added up to the share of the pool; FN %/FP % for each share",
            ["attack", "noise"] + shares.map { "\($0) %" }, rows)
        Report.remark(
            """
            Published, as we recall it: Polygraph with clustering keeps FN 0 up to 80 % of benign noise, Hamsa up to 50 %
              with FP below 1 %; with crafted noise at half the pool Polygraph's conjunctions and token subsequences miss
              every variant (Perdisci and others 2006). The generator is told to expect noise of half the pool, and more
              only where there is more.
            """)
        return (upToHalf, all)
    }

    /// The suspicious pool, in random order.
    static func pool(
        _ laboratory: Laboratory, _ family: AttackFamily, _ kind: Kind, attackSamples: Int, share: Int
    ) -> [[UInt8]] {
        var random = laboratory.random("noise \(family.name) \(kind.rawValue) \(share)")
        let noise = share == 0 ? 0 : attackSamples * share / (100 - share)
        var samples: [[UInt8]] = []
        var fakes: [[[UInt8]]] = []
        for _ in 0..<attackSamples {
            let fake = kind == .crafted && noise > 0 ? (0..<6).map { _ in random.bytes(6...10, of: AttackFamily.target) } : []
            fakes.append(fake)
            samples.append(family.variant(&random, planting: fake))
        }
        for index in 0..<noise {
            switch kind {
            case .benign:
                if let stream = laboratory.traffic.noise.randomElement(using: &random) { samples.append(stream.bytes) }
            case .random: samples.append(random.bytes(300...900))
            case .crafted: samples.append(family.decoy(&random, planting: fakes[index % fakes.count].shuffled(using: &random)))
            }
        }
        return samples.shuffled(using: &random)
    }
}
