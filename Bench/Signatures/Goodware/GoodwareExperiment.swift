// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BenchSupport
import EpitopeModel
import Foundation
import GoodwareFiles
import GoodwareReading
import GoodwareIndex
import PatternScan
import SignatureMaking
import SignatureProving
import Signatures
import TestSupport

/// Whether signatures hit what is on the machine, and whether goodware can be made into a rule.
struct GoodwareExperiment: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "goodware", abstract: "Signatures sought in goodware by several witnesses; goodware sent in as an attack.")

    @OptionGroup var goodware: GoodwareIndexOption
    @Option(help: "The seed of all random draws.")
    var seed: UInt64 = 1
    @Option(help: "How many signatures, and how many attempts to make one of goodware.")
    var count = 1000
    @Option(help: "The folder that clamscan, by far the slowest witness, is given; default: the tree.")
    var clamscanTree: String?
    @Flag(help: "Small sizes, for a look.")
    var quick = false

    func run() async throws {
        var option = goodware
        if quick, option.tree == "/usr" { option.tree = "/usr/bin" }
        let count = quick ? min(count, 100) : count
        let (file, built) = try option.open()
        let prover = SignatureProver(ProverMaterial(goodware: file))
        Report.table(
            "The index of \(option.tree)", ["files", "MB", "distinct MB", "index MB", "bytes per 32", "MB/s"],
            [
                [
                    "\(file.fileCount)", "\(file.index.corpusBytes / 1_000_000)", "\(file.distinctBytes / 1_000_000)",
                    "\(file.size / 1_000_000)", Report.decimal(file.bytesPer32, digits: 2),
                    built.map { Report.decimal($0.megabytesPerSecond, digits: 0) } ?? "was there",
                ]
            ])
        let known = try KnownWindows(quick ? 2_000_000 : 50_000_000, of: option.tree, in: file, seed: seed)
        Report.table(
            "Windows of files of \(option.tree), asked of its index", ["windows", "called absent", "the first of these"],
            [["\(known.asked)", "\(known.absent)", known.places.joined(separator: "; ")]])
        let (signatures, planted) = try InertPackets.signatures(count, prover, seed: seed)
        let witnesses = try Witnesses(signatures: signatures, planted: planted)
        let hits = try witnesses.seek(in: option.tree, clamscanTree: quick ? "/usr/sbin" : clamscanTree ?? option.tree)
        let unproven = signatures.count { !file.index.provesAbsence(of: $0) }
        Report.table(
            "\(signatures.count) signatures of \(count) inert samples, sought in goodware",
            ["witness", "folder", "hits", "planted found", "of", "s"],
            [["the index", option.tree, "\(unproven)", "-", "-", "-"]] + hits.map(\.row))
        let delivered = try allergy(count, prover, tree: option.tree)
        let total = hits.reduce(unproven) { $0 + ($1.hits ?? 0) }
        Report.keys([
            ("goodware_hits", "\(total)"), ("goodware_signatures", "\(signatures.count)"), ("allergy_delivered", "\(delivered)"),
            ("false_absent", "\(known.absent)"), ("false_absent_windows", "\(known.asked)"),
            ("goodware_gb", Report.decimal(Double(file.index.corpusBytes) / 1e9, digits: 2)),
        ])
        if known.absent > 0 { throw ExitCode.failure }
    }

    /// Regions of goodware, sent in as if a call had come from them.
    private func allergy(_ count: Int, _ prover: SignatureProver, tree: String) throws -> Int {
        var random = SeededGenerator(seed: seed, "allergy")
        let files = try GoodwareRegions(below: [tree])
        var delivered = 0
        var byKind: [String: (attempts: Int, delivered: Int)] = [:]
        for number in 0..<count {
            if number % 100 == 0 { Report.progress("allergy attempt \(number) of \(count)") }
            let region = try files.region(&random)
            let sample = InertPackets.sample(of: region.bytes, caller: Int.random(in: 40...region.bytes.count - 1, using: &random))
            let proven = prover.prove([sample], given: try sample.callerWindow()).proven
            byKind[region.kind, default: (0, 0)].attempts += 1
            if !proven.isEmpty {
                delivered += 1
                byKind[region.kind]?.delivered += 1
            }
        }
        Report.table(
            "Goodware sent in as an attack (allergy; Chung and Mok 2006)", ["regions of", "attempts", "delivered"],
            byKind.sorted { $0.key < $1.key }.map { [$0.key, "\($0.value.attempts)", "\($0.value.delivered)"] })
        return delivered
    }
}
