// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BenchSupport
import EpitopeModel
import Foundation
import GoodwareIndex
import Rendering
import SignatureMaking
import SignatureProving
import Signatures
import TestSupport

/// Whether the engine that gets a rule fires: attacks whose common parts lie near together or far apart, in every form in which
/// they may cross a network. Signatures are proven with a capture of some variants; Suricata decides about others.
struct WindowsExperiment: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "windows", abstract: "Whether rules of proven signatures fire in Suricata, by span and form of what they match.")

    @Option(help: "The seed of all random draws.")
    var seed: UInt64 = 1
    @Flag(help: "Small sizes, for a look.")
    var quick = false

    /// In bytes: how far the common parts of an attack lie apart, all together.
    private static let spans = [200, 900, 2500, 7000]
    private static let samples = 6
    private static let unseen = 5

    func run() async throws {
        var rows: [[String]] = []
        var totals = Tally()
        for form in CarrierForm.allCases {
            // A datagram is a packet of its own.
            for span in Self.spans where form != .datagram || span <= 900 {
                Report.progress("\(form.rawValue), \(span) bytes")
                let tally = try await tally(form, span: span)
                rows.append([
                    form.rawValue, "\(span)", "\(tally.attacks)", "\(tally.signatures)", "\(tally.attacks * Self.unseen)", "\(tally.flows)",
                    Report.percent(tally.flows - tally.inline, of: tally.flows),
                    Report.percent(tally.flows - tally.passive, of: tally.flows), "\(tally.silent)",
                ])
                totals.add(tally)
            }
        }
        Report.table(
            """
            Proven signatures in Suricata: variants that were not seen before; those that the signatures match, missed inline and where it
              listens, in %; signatures that match some and fire on none
            """,
            ["form", "span", "attacks", "signatures", "variants", "matched", "inline missed %", "passive missed %", "silent"], rows)
        Report.keys([
            ("windows_signatures", "\(totals.signatures)"), ("windows_silent", "\(totals.silent)"),
            ("windows_fn", Report.percent(totals.attacks * Self.unseen - totals.flows, of: totals.attacks * Self.unseen)),
            ("windows_inline_missed", Report.percent(totals.flows - totals.inline, of: totals.flows)),
            ("windows_passive_missed", Report.percent(totals.flows - totals.passive, of: totals.flows)),
        ])
        if totals.silent > 0 { throw ExitCode.failure }
    }

    private struct Tally {
        var (attacks, signatures, silent) = (0, 0, 0)
        /// Of variants that no signature was made of, and that one of the attack's signatures matches; those that Suricata fires on.
        var (flows, inline, passive) = (0, 0, 0)

        mutating func add(_ other: Tally) {
            (attacks, signatures, silent) = (attacks + other.attacks, signatures + other.signatures, silent + other.silent)
            (flows, inline, passive) = (flows + other.flows, inline + other.inline, passive + other.passive)
        }
    }

    private func tally(_ form: CarrierForm, span: Int) async throws -> Tally {
        var random = SeededGenerator(seed: seed, "windows \(form.rawValue) \(span)")
        var tally = Tally()
        tally.attacks = quick ? 2 : 8
        var (signatures, frames) = ([(signature: Signature, ports: Set<Int>)](), [[UInt8]]())
        var port = 10_000
        for _ in 0..<tally.attacks {
            let family = SpreadAttack(span: span, &random)
            let proven = try await Self.proven(form, family, &random)
            let first = port
            var matched = proven.map { ($0, Set<Int>()) }
            for _ in 0..<Self.unseen {
                let code = family.variant(&random).bytes
                frames += try await form.frames(code, clientPort: port)
                for index in matched.indices where matched[index].0.matches(code) { matched[index].1.insert(port) }
                port += 1
            }
            signatures += matched
            tally.flows += Set(matched.flatMap(\.1)).intersection(first..<port).count
        }
        tally.signatures = signatures.count
        let rules = try signatures.enumerated().map { number, made in
            try SuricataRendering.render(
                RuleInput(signature: made.signature, sid: SIDRange.all.lowerBound + UInt32(number), createdMilliseconds: 0))
        }.joined(separator: "\n")
        guard !rules.isEmpty else { return tally }
        let capture = NetworkFrame.capture(frames, link: 101)
        for isInline in [true, false] {
            let fired = try await SuricataReading.fired(
                on: capture, rules: rules + "\n", configuration: SuricataDefaults.configuration, isInline: isInline, checksChecksums: false)
            let found = signatures.indices.map { number in
                let ports = fired.filter { $0.rule == Int(SIDRange.all.lowerBound) + number }.flatMap(\.ports)
                return signatures[number].ports.intersection(ports)
            }
            let flows = Set(found.joined()).count
            if isInline {
                tally.inline = flows
                tally.silent = found.indices.count { !signatures[$0].ports.isEmpty && found[$0].isEmpty }
            } else {
                tally.passive = flows
            }
        }
        return tally
    }

    /// The signatures that are proven with a capture of the samples.
    private static func proven(
        _ form: CarrierForm, _ family: SpreadAttack, _ random: inout SeededGenerator
    ) async throws -> [Signature] {
        let folder = try TemporaryFolder()
        var (samples, frames) = ([Sample](), [[UInt8]]())
        for number in 0..<Self.samples {
            let (bytes, caller) = family.variant(&random)
            frames += try await form.frames(bytes, clientPort: 60_000 + number)
            let base: UInt64 = 0x7f00_0000_0000
            samples.append(
                Sample(
                    code: ExtractedCode(base: base, bytes: bytes, isWholeRegion: true), callersAddress: base + UInt64(caller),
                    architecture: .x86_64, context: form.context))
        }
        let path = "\(folder.path)/seen.pcap"
        try Data(NetworkFrame.capture(frames, link: 101)).write(to: URL(fileURLWithPath: path))
        let material = ProverMaterial(index: GoodwareIndex(of: [random.bytes(4000...4000)]), captures: [path])
        return SignatureProver(material).prove(samples, given: try samples[0].callerWindow()).proven.map(\.signature)
    }
}
