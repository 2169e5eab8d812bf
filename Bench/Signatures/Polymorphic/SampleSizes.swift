// SPDX-License-Identifier: Apache-2.0

import BenchSupport
import Signatures

/// False negatives and false positives by the number of samples, without noise.
enum SampleSizes {
    /// - Parameter minSamples: trials of fewer samples are in the table and not in the worst figures.
    static func run(_ laboratory: Laboratory, sizes: [Int], minSamples: Int, noiseShare: Double, files: MachineFiles?) -> (
        all: Worst, enough: Worst
    ) {
        var (all, enough) = (Worst(), Worst())
        var rows: [[String]] = []
        var shown: [[String]] = []
        func row(_ family: AttackFamily, _ samples: String, _ trial: Trial, missed: Int, hits: [BenignStream]) -> [String] {
            let byKind = BenignStream.Kind.allCases.map { kind in
                Report.percent(hits.filter { $0.kind == kind }.count, of: laboratory.heldOut.filter { $0.kind == kind }.count)
            }
            let inFiles = files.map { "\($0.hits(of: trial.signatures))" } ?? "-"
            return [
                family.name, samples, "\(trial.signatures.count)", "\(trial.provable)", Report.percent(missed, of: laboratory.variants),
            ] + byKind + [inFiles, Report.decimal(trial.milliseconds, digits: 1), samples == "\(sizes[0])" ? family.published : ""]
        }
        for family in AttackFamily.published {
            var random = laboratory.random("samples \(family.name)")
            Report.progress("numbers of samples: \(family.name)")
            let variants = laboratory.unseen(family)
            var baselines: [[String]] = []
            for size in sizes {
                let samples = (0..<size).map { _ in family.variant(&random) }
                let trial = Trial(samples, context: family.context, benign: laboratory.benign, noiseShare: noiseShare)
                let (missed, hits) = (trial.missed(variants), trial.hits(laboratory.heldOut))
                all.add(missed: missed, of: variants.count, hit: hits.count, of: laboratory.heldOut.count)
                if size >= minSamples {
                    laboratory.signatures.add(trial)
                    enough.add(missed: missed, of: variants.count, hit: hits.count, of: laboratory.heldOut.count)
                }
                rows.append(row(family, "\(size)", trial, missed: missed, hits: hits))
                if size == sizes.max() {
                    if let substring = LongestSubstring.signature(of: samples, context: family.context) {
                        let trial = Trial(signatures: [substring], provable: 0, milliseconds: 0)
                        baselines.append(
                            row(
                                family, "longest substring", trial, missed: trial.missed(variants), hits: trial.hits(laboratory.heldOut)))
                    }
                    shown += trial.signatures.prefix(3).map { [family.name, Self.short($0)] }
                }
            }
            let ideal = Trial(signatures: [family.ideal], provable: 0, milliseconds: 0)
            rows += baselines
            rows.append(row(family, "the tokens", ideal, missed: ideal.missed(variants), hits: ideal.hits(laboratory.heldOut)))
        }
        Report.table(
            "By number of samples: \(laboratory.variants) unseen variants (FN), held-out benign streams (FP)"
                + (files.map { ", hits in \($0.summary)" } ?? ""),
            [
                "attack", "samples", "signatures", "provable", "FN %", "FP HTTP %", "FP DNS %", "FP binary %", "files hit", "made in ms",
                "published",
            ], rows)
        Report.remark(
            """
            "The tokens" is what a generator that knew the attack would make: its invariant tokens in their order, no bounds
              on gaps. "Longest substring" is the single run that all of the largest number of samples share, as the first generators took it,
              made here. Published figures are in percent, as we recall them from the papers; of Polygraph's false positives the four are
              longest substring / best substring / conjunction / token subsequence. Polygraph and Hamsa also find that two
              or three samples are too few: what those share by chance becomes part of the signature.
            """)
        Report.table("Signatures from \(sizes.max() ?? 0) samples, the first three", ["attack", "signature"], shown)
        return (all, enough)
    }

    static func short(_ signature: Signature) -> String {
        let text = signature.description
        return text.count <= 150 ? text : "\(text.prefix(147))..."
    }
}
