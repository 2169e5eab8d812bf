import Signatures

/// False negatives and false positives by the number of samples, without noise.
enum SampleSizes {
    /// - Parameter fewest: trials of fewer samples are in the table and not in the worst figures.
    static func run(_ laboratory: Laboratory, sizes: [Int], fewest: Int, noiseShare: Double, files: MachineFiles?) -> (all: Worst, enough: Worst) {
        var (all, enough) = (Worst(), Worst())
        var rows: [[String]] = []
        var shown: [[String]] = []
        for family in AttackFamily.published {
            var random = laboratory.random("samples \(family.name)")
            let variants = laboratory.unseen(family)
            for size in sizes {
                let samples = (0..<size).map { _ in family.variant(&random) }
                let trial = Trial(samples, context: family.context, benign: laboratory.benign, noiseShare: noiseShare)
                let missed = trial.missed(variants)
                let hits = trial.hits(laboratory.heldOut)
                all.add(missed: missed, of: variants.count, hit: hits.count, of: laboratory.heldOut.count)
                if size >= fewest {
                    enough.add(missed: missed, of: variants.count, hit: hits.count, of: laboratory.heldOut.count)
                }
                let byKind = BenignStream.Kind.allCases.map { kind in
                    Report.percent(hits.filter { $0.kind == kind }.count, of: laboratory.heldOut.filter { $0.kind == kind }.count)
                }
                rows.append(
                    [family.name, "\(size)", "\(trial.signatures.count)", "\(trial.provable)", Report.percent(missed, of: variants.count)]
                        + byKind + [files.map { "\($0.hits(of: trial.signatures))" } ?? "-", Report.decimal(trial.milliseconds, digits: 1)])
                if size == sizes.max() {
                    shown += trial.signatures.prefix(3).map { [family.name, Self.short($0)] }
                }
            }
            rows.append([family.name, "published", "", "", family.published])
        }
        Report.table(
            "By number of samples: \(laboratory.variants) unseen variants (FN), held-out benign streams (FP)"
                + (files.map { ", hits in \($0.summary)" } ?? ""),
            ["attack", "samples", "signatures", "provable", "FN %", "FP HTTP %", "FP DNS %", "FP binary %", "files hit", "made in ms"], rows)
        Report.remark(
            """
            Published figures are in percent, as we recall them from the papers; of Polygraph's false positives the four are
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
