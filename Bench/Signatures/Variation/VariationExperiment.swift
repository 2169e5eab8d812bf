// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BenchSupport
import EpitopeModel
import GoodwareIndex
import Rendering
import SignatureMaking
import Signatures
import TestSupport
import TokenSequences

struct VariationExperiment: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "variation", abstract: "How many unseen variants each strategy's signatures match.")

    @Option(help: "The seed of all random draws.")
    var seed: UInt64 = 1
    @Option(help: "How many MiB of the machine's own files the chosen signatures are sought in; 0: none.")
    var files = 100
    @Flag(help: "Small sizes, for a look.")
    var quick = false

    func run() async throws {
        let benign = BenignPool(streams: SyntheticTraffic.streams(quick ? 100 : 400, seed: seed).map(\.bytes))
        let machine = files > 0 ? MachineFiles(mebibytes: quick ? min(files, 20) : files, seed: seed) : nil
        let (unseen, sizes) = (quick ? 200 : 1000, [1, 2, 5, 10])
        var rows: [[String]] = []
        var recalls: [Int: [Double]] = [:]
        for template in CodeTemplate.all {
            Report.progress("template: \(template.name)")
            var random = SeededGenerator(seed: seed, "variation \(template.name)")
            let variants = (0..<unseen).map { _ in template.sample(&random).code.bytes }
            // One or two samples may be lucky ones: as many draws as make an average.
            for (size, draw) in sizes.flatMap({ size in (0..<(size <= 2 ? Self.draws : 1)).map { (size, $0) } }) {
                let samples = (0..<size).map { _ in template.sample(&random) }
                let candidates = Self.candidates(for: samples, benign: benign)
                let chosen = Self.disjunction(of: candidates, for: samples)
                let matched = variants.filter { variant in chosen.contains { $0.matches(variant) } }.count
                recalls[size, default: []].append(100 * Double(matched) / Double(unseen))
                guard draw == 0 else { continue }
                rows.append(
                    [template.name, "\(size)"]
                        + Provenance.Strategy.allCases.map { Self.recall(of: $0, among: candidates, on: variants) }
                        + [
                            Report.percent(matched, of: unseen), "\(chosen.count)",
                            Self.names(chosen), machine.map { "\($0.hits(of: chosen))" } ?? "-",
                        ])
            }
        }
        Report.table("What varies in the templates", ["template", "varies"], CodeTemplate.all.map { [$0.name, $0.varies] })
        Report.table(
            "Share of \(unseen) unseen variants matched, in %, by the best ranked signature of each strategy, and by those chosen"
                + (machine.map { "; hits of the chosen in \($0.summary)" } ?? ""),
            ["template", "seen"] + Provenance.Strategy.allCases.map(\.rawValue) + ["chosen", "of", "strategies chosen", "files hit"], rows)
        Report.remark(
            """
            "Chosen" is a disjunction: in the order of their rank, every candidate that matches a seen variant which none
              before it matched. "-": the strategy made no candidate (no goodware index is at hand here, and one variant
              shows nothing in common). Published, as we recall it: YARA-Signator on Malpedia has recall 0.963 and
              precision 0.995, with every variant seen.
            """)
        func average(_ size: Int) -> String {
            let values = recalls[size] ?? []
            return Report.decimal(values.reduce(0, +) / Double(max(1, values.count)), digits: 2)
        }
        Report.table(
            "Recall of the chosen signatures, averaged over the \(CodeTemplate.all.count) templates", ["seen", "recall %"],
            sizes.map { ["\($0)", average($0)] })
        let families = CodeTemplate.all.map { template in
            Report.progress("family: \(template.name)")
            return Self.family(of: template, variants: quick ? 20 : 50, benign: benign, seed: seed)
        }
        Report.table(
            "Rules of a family whose \(quick ? 20 : 50) variants come one by one; they are made again when none matches the newest",
            ["template", "in force at the end", "made in all", "made again"],
            zip(CodeTemplate.all, families).map { [$0.name, "\($1.inForce)", "\($1.made)", "\($1.revisions)"] })
        func mean(_ values: [Int]) -> String { Report.decimal(Double(values.reduce(0, +)) / Double(max(1, values.count)), digits: 2) }
        Report.keys([
            ("family_rules", mean(families.map(\.inForce))), ("family_rules_most", "\(families.map(\.inForce).max() ?? 0)"),
            ("family_revisions", mean(families.map(\.revisions))), ("variation_recall", average(10)), ("variation_recall_5", average(5)),
            ("variation_recall_2", average(2)),
            ("variation_recall_1", average(1)),
        ])
    }

    /// How often one and two samples are drawn. The table shows the first.
    private static let draws = 10

    /// The newest variants that signatures are made of.
    private static let maxSamples = 16

    /// What a center does with the variants of one code as they come: when no signature matches the newest, they are made again, of
    /// it and those before.
    private static func family(
        of template: CodeTemplate, variants: Int, benign: BenignPool, seed: UInt64
    ) -> (inForce: Int, made: Int, revisions: Int) {
        var random = SeededGenerator(seed: seed, "family \(template.name)")
        var seen: [Sample] = []
        var inForce: [Signature] = []
        var made = Set<String>()
        var revisions = -1
        for _ in 0..<variants {
            let variant = template.sample(&random)
            seen = seen.suffix(maxSamples - 1) + [variant]
            guard !inForce.contains(where: { $0.matches(variant.code.bytes) }) else { continue }
            inForce = disjunction(of: candidates(for: seen, benign: benign), for: seen)
            made.formUnion(inForce.map(\.id))
            revisions += 1
        }
        return (inForce.count, made.count, max(0, revisions))
    }

    /// Those that a rule can be made of at a bounded cost, as a proof demands.
    private static func candidates(for samples: [Sample], benign: BenignPool) -> [Signature] {
        SignatureCandidates.signatures(for: samples, goodware: nil, benign: benign)
            .filter { $0.isWellFormed && $0.isSubstantial && SignatureCost(of: $0).isCheap }
    }

    /// In the order of rank, whatever matches a sample that none before it matched.
    static func disjunction(of candidates: [Signature], for samples: [Sample]) -> [Signature] {
        var chosen: [Signature] = []
        var open = samples.map(\.code.bytes)
        for candidate in candidates where !open.isEmpty {
            let left = open.filter { !candidate.matches($0) }
            if left.count < open.count { chosen.append(candidate) }
            open = left
        }
        return chosen
    }

    private static func recall(of strategy: Provenance.Strategy, among candidates: [Signature], on variants: [[UInt8]]) -> String {
        guard let best = candidates.first(where: { $0.provenance?.strategy == strategy }) else { return "-" }
        return Report.percent(variants.filter { best.matches($0) }.count, of: variants.count)
    }

    /// Which strategies the signatures come from: "masked-window, token-sequence 2".
    private static func names(_ signatures: [Signature]) -> String {
        let counts = Dictionary(grouping: signatures) { $0.provenance?.strategy.rawValue ?? "?" }.mapValues(\.count)
        return counts.sorted { $0.key < $1.key }.map { $0.value == 1 ? $0.key : "\($0.key) \($0.value)" }.joined(separator: ", ")
    }
}

extension CodeTemplate {
    /// A variant that came to a service.
    func sample(_ random: inout SeededGenerator) -> Sample {
        let variant = variant(&random)
        return Sample(
            code: variant.code, callersAddress: variant.callersAddress, architecture: variant.architecture,
            context: SignatureContext(transport: .tcp, ports: [8080], direction: .toService))
    }
}
