// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BenchSupport
import EpitopeModel
import GoodwareIndex
import SignatureMaking
import SignatureProving
import Signatures
import TestSupport

/// Polymorphic bodies behind the constant heads of well-known protocols: what an honest host reports of an attack that came in
/// a request. The head is in every sample, in no goodware, and in every benign client's traffic.
struct HeadsExperiment: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "heads", abstract: "Whether signatures of attacks in requests match what benign clients send.")

    @Option(help: "The seed of all random draws.")
    var seed: UInt64 = 1
    @Flag(help: "Small sizes, for a look.")
    var quick = false

    /// What lies behind the head, all of it data that is never run.
    private enum Body: String, CaseIterable {
        /// Nothing in common but the call.
        case random = "differs in every byte"
        /// Other instructions in every sample.
        case instructions = "other instructions"
        /// The same first 40 bytes of instructions, then an encoded body.
        case decoder = "a decoder, then encoded"
        /// The same 60 bytes of instructions at the call, and text of the victim before them.
        case code = "the same code at the call"

        /// Whether unseen variants have anything in common with the seen ones.
        var isRecognisable: Bool { self == .decoder || self == .code }
    }

    func run() async throws {
        let (variants, streams, sizes) = (quick ? 100 : 500, quick ? 200 : 2000, quick ? [2, 5] : [1, 2, 3, 5, 10])
        var random = SeededGenerator(seed: seed, "heads")
        // Nothing here is in it: what keeps a head out of the signatures must not be the goodware.
        let prover = SignatureProver(ProverMaterial(index: GoodwareIndex(of: [random.bytes(4000...4000)])))
        var rows: [[String]] = []
        var totals = (hits: 0, signatures: 0, beside: 0)
        var shares: [Double] = []
        for head in ProtocolHead.all {
            Report.progress("head: \(head.name)")
            let benign = (0..<streams).map { _ in Self.benign(head, &random) }
            for body in Body.allCases {
                let tail = InertInstructions.bytes(60, &random)
                func variant() -> Sample { Self.sample(head, body, tail, &random) }
                let unseen = (0..<variants).map { _ in variant().code.bytes }
                for size in sizes {
                    let samples = (0..<size).map { _ in variant() }
                    let proven = prover.prove(samples, given: try samples[0].callerWindow()).proven.map(\.signature)
                    let hits = benign.count { stream in proven.contains { $0.matches(stream) } }
                    let missed = unseen.count { variant in !proven.contains { $0.matches(variant) } }
                    let beside = proven.count { signature in samples.contains { $0.place(of: signature) == .beside } }
                    totals = (totals.hits + hits, totals.signatures + proven.count, totals.beside + beside)
                    if body.isRecognisable, size >= 3 { shares.append(100 * Double(missed) / Double(variants)) }
                    rows.append([
                        head.name, body.rawValue, "\(size)", "\(proven.count)", "\(hits)", Report.percent(missed, of: variants),
                        Set(proven.compactMap { $0.provenance?.strategy.rawValue ?? "given" }).sorted().joined(separator: ", "),
                    ])
                }
            }
        }
        Report.table(
            "Proven signatures of attacks behind constant heads; hits on \(streams) benign streams with the same head, and unseen variants missed, in %",
            ["head", "body", "seen", "signatures", "benign hits", "missed %", "strategies"], rows)
        Report.remark(
            """
            No benign stream is known to the prover, and no goodware holds a head: the worst case. Bodies that have nothing in
              common are missed by their nature (each signature is one sample's own bytes at the call); heads_fn is the worst of
              the other two kinds, from 3 samples on, heads_fn_mean their mean: one decoder in some hundred has too few of the
              instructions that programs use to be told from data. heads_beside counts signatures with a token that is not code.
            """)
        Report.keys([
            ("heads_benign_hits", "\(totals.hits)"), ("heads_beside", "\(totals.beside)"),
            ("heads_fn", Report.decimal(shares.max() ?? 0, digits: 2)),
            ("heads_fn_mean", Report.decimal(shares.reduce(0, +) / Double(max(1, shares.count)), digits: 2)),
            ("heads_signatures", "\(totals.signatures)"),
        ])
    }

    private static func sample(_ head: ProtocolHead, _ body: Body, _ tail: [UInt8], _ random: inout SeededGenerator) -> Sample {
        var bytes = head.bytes
        switch body {
        case .random: bytes += random.bytes(100...300)
        case .instructions: bytes += InertInstructions.bytes(Int.random(in: 60...200, using: &random), &random)
        case .decoder: bytes += tail.prefix(40) + random.bytes(100...300)
        case .code: bytes += random.bytes(32...32, of: Array("0123456789abcdef".utf8)) + tail
        }
        bytes += [0x0f, 0x05]
        let caller = bytes.count
        bytes += random.bytes(0...40)
        let base: UInt64 = 0x7f00_0000_0000
        return Sample(
            code: ExtractedCode(base: base, bytes: bytes, isWholeRegion: true), callersAddress: base + UInt64(caller),
            architecture: .x86_64, context: SignatureContext(transport: head.transport, ports: [head.port], direction: .toService))
    }

    /// What another client sends behind the same head: text, numbers, or what is compressed or encrypted.
    private static func benign(_ head: ProtocolHead, _ random: inout SeededGenerator) -> [UInt8] {
        switch Int.random(in: 0..<3, using: &random) {
        case 0: head.bytes + random.bytes(50...400, of: AttackFamily.letters)
        case 1: head.bytes + random.bytes(50...400, of: Array("0123456789abcdef".utf8))
        default: head.bytes + random.bytes(50...400)
        }
    }
}
