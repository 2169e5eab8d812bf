// SPDX-License-Identifier: Apache-2.0

import BenchSupport
import TestSupport
import TokenSequences

/// What attackers do to mislead the generator: planted runs that are dropped later, outliers, poisoned pools.
enum MisleadingExperiment {
    /// An attack on the generator: the pool that it sees, and the variants that come then.
    private struct Attempt {
        var name: String
        var samples: [[UInt8]]
        var benign: BenignPool
        var later: [[UInt8]]
        /// Benign streams beside the held-out ones.
        var moreBenign: [BenignStream] = []
        /// Whether the benign pool holds the attack itself. A signature that matches no stream of such a pool does not
        /// exist: it takes a person who removes the stream.
        var isPoolOfAttack = false
    }

    /// The worst figures: at first, after some missed variants came in, and with the attack in the benign pool.
    struct Outcome {
        var first = Worst()
        var again = Worst()
        var benignPoisoned = Worst()
    }

    static func run(_ laboratory: Laboratory, attackSamples: Int) -> Outcome {
        var outcome = Outcome()
        var rows: [[String]] = []
        for family in AttackFamily.published {
            Report.progress("attempts to mislead: \(family.name)")
            for attempt in attempts(laboratory, family, attackSamples) {
                let trial = Trial(attempt.samples, context: family.context, benign: attempt.benign, noiseShare: 0.5)
                let streams = laboratory.heldOut + attempt.moreBenign
                let (missed, hits) = (trial.missed(attempt.later), trial.hits(streams).count)
                // A variant that is missed comes to the center as any other, and the signatures are made again.
                var again = "-"
                var missedAgain = (count: missed, of: attempt.later.count)
                if missed > 0 {
                    let seen = attempt.later.filter { !trial.matches($0) }.prefix(max(2, attackSamples / 4))
                    let second = Trial(attempt.samples + seen, context: family.context, benign: attempt.benign, noiseShare: 0.5)
                    let unseen = Array(attempt.later.dropFirst(attempt.later.count / 2))
                    let both = unseen.filter { !trial.matches($0) && !second.matches($0) }.count
                    again = Report.percent(both, of: unseen.count)
                    missedAgain = (both, unseen.count)
                    let hitsAgain = second.hits(streams).count
                    outcome.again.add(missed: 0, of: 0, hit: hitsAgain, of: streams.count)
                }
                if attempt.isPoolOfAttack {
                    outcome.benignPoisoned.add(missed: missed, of: attempt.later.count, hit: hits, of: streams.count)
                } else {
                    outcome.first.add(missed: missed, of: attempt.later.count, hit: hits, of: streams.count)
                    outcome.again.add(missed: missedAgain.count, of: missedAgain.of, hit: hits, of: streams.count)
                }
                rows.append([
                    family.name, attempt.name, "\(trial.signatures.count)", Report.percent(missed, of: attempt.later.count),
                    Report.percent(hits, of: streams.count), again,
                ])
            }
        }
        Report.table(
            "Attempts to mislead: \(attackSamples) samples of the attack",
            ["attack", "attempt", "signatures", "FN %", "FP %", "FN % made again"], rows)
        Report.remark(
            """
            Published, as we recall it (Paragraph: Newsome, Karp, Song 2006): dropped red herrings make Polygraph's
              conjunctions miss every variant again and again; correlated outliers and poisoned pools blind its Bayes
              signatures. "Made again": some missed variants came in, and both the old and the new signatures are in force.
              With the attack itself in the benign pool nothing is made: that fails closed until a person removes the stream.
            """)
        return outcome
    }

    private static func attempts(_ laboratory: Laboratory, _ family: AttackFamily, _ count: Int) -> [Attempt] {
        var random = laboratory.random("misleading \(family.name)")
        let herrings = (0..<4).map { _ in random.bytes(8...12, of: AttackFamily.target) }
        let spurious = (0..<8).map { _ in random.bytes(6...10, of: AttackFamily.target) }
        func variants(_ number: Int, _ planted: (inout SeededGenerator) -> [[UInt8]]) -> [[UInt8]] {
            (0..<number).map { _ in
                let runs = planted(&random)
                return family.variant(&random, planting: runs)
            }
        }
        let plain = variants(laboratory.variants) { _ in [] }
        let withHerrings = variants(count) { _ in herrings }
        let withHalf = variants(count) { random in Array(spurious.shuffled(using: &random).prefix(spurious.count / 2)) }

        var attempts = [
            Attempt(
                name: "coincidental runs, in 6 of 10 samples",
                samples: variants(count) { random in spurious.filter { _ in Int.random(in: 0..<10, using: &random) < 6 } },
                benign: laboratory.benign, later: plain),
            Attempt(
                name: "red herrings, kept", samples: withHerrings, benign: laboratory.benign,
                later: variants(laboratory.variants) { _ in herrings }),
            Attempt(
                name: "red herrings, one dropped", samples: withHerrings, benign: laboratory.benign,
                later: variants(laboratory.variants) { random in
                    let dropped = Int.random(in: herrings.indices, using: &random)
                    return herrings.indices.filter { $0 != dropped }.map { herrings[$0] }
                }),
            Attempt(name: "red herrings, all dropped", samples: withHerrings, benign: laboratory.benign, later: plain),
        ]
        // Correlated outliers: a few benign streams hold all the planted runs together.
        let outliers = laboratory.traffic.noise.prefix(40).map { stream in
            var outlier = stream
            outlier.bytes = AttackFamily.scatter(spurious, over: stream.bytes, &random)
            return outlier
        }
        attempts.append(
            Attempt(
                name: "correlated outliers", samples: variants(count) { _ in spurious },
                benign: BenignPool(streams: laboratory.benign.streams + outliers.prefix(20).map(\.bytes)), later: plain,
                moreBenign: Array(outliers.dropFirst(20))))
        // Poisoned suspicious pool: half of it is decoys with all the planted runs, of which variants hold some.
        attempts.append(
            Attempt(
                name: "poisoned suspicious pool", samples: withHalf + (0..<count).map { _ in family.decoy(&random, planting: spurious) },
                benign: laboratory.benign, later: plain))
        // Poisoned benign pool: a variant was recorded as benign.
        attempts.append(
            Attempt(
                name: "poisoned benign pool, 1 stream", samples: variants(count) { _ in [] },
                benign: BenignPool(streams: laboratory.benign.streams + [family.variant(&random)]), later: plain, isPoolOfAttack: true))
        return attempts
    }
}
