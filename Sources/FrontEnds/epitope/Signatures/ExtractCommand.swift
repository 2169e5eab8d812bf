// SPDX-License-Identifier: Apache-2.0

public import ArgumentParser
public import EpitopeModel
import Foundation
import GoodwareFiles
import HostFrontEnd
import Rendering
import SignatureMaking
import SignatureProving
import Signatures

/// `epitope extract`: makes signatures of code without a center.
struct ExtractCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "extract", abstract: "Make signatures of code, packets or samples.",
        discussion: """
            Reads code (a file named *.bin, or any file with --caller), a packet (in its wire format, or JSON), or a folder of \
            these, which are samples of one attack. Ranks the candidates, shows the reasons, and proves them against the \
            goodware and captures given. Exits with status 2 if a goodware index or a capture was given and no candidate \
            was proven.
            """)

    /// The output formats.
    enum Output: String, CaseIterable, ExpressibleByArgument {
        case text, json, suricata, snort2, snort3, yara, clamav, stix

        /// `nil` if it is not a rule language.
        var language: (any SignatureRendering.Type)? {
            switch self {
            case .text, .json: nil
            case .suricata: SuricataRendering.self
            case .snort2: Snort2Rendering.self
            case .snort3: Snort3Rendering.self
            case .yara: YaraRendering.self
            case .clamav: ClamAVLogicalRendering.self
            case .stix: StixRendering.self
            }
        }
    }

    @Argument(help: ArgumentHelp("Code, a packet, or a folder of samples.", valueName: "path"))
    var path: String

    @Option(help: "Code only: the address of its first byte, decimal or 0x….")
    var base: String?

    @Option(help: "Code only: the caller's address. Default: the end of the code.")
    var caller: String?

    @Option(help: "Code only: x86-32, x86-64 or arm64.")
    var architecture: Architecture = .x86_64

    @Option(help: "A goodware index. No signature is made of bytes that occur in goodware.")
    var goodware: String?

    @Option(help: "A capture, a folder, or a path with * in its last part, to look for the code in. Can be repeated.")
    var capture: [String] = []

    @Option(help: "A capture of benign traffic, which signatures must not match. Can be repeated.")
    var benign: [String] = []

    @Option(help: "The largest share of samples, 0 to 0.8, that may have nothing to do with the attack.")
    var noise = ProverMaterial.defaultNoiseShare

    @Flag(help: "Print all candidates instead of the best five.")
    var all = false

    @Option(
        name: [.short, .long], help: "text, json, or the rules of the proven signatures: suricata, snort2, snort3, yara, clamav, stix.")
    var output: Output = .text

    /// How many candidates are printed without `--all`.
    private static let shownCandidates = 5

    func validate() throws {
        guard (0...ProverMaterial.maxNoiseShare).contains(noise) else {
            throw ValidationError("--noise takes 0 to \(ProverMaterial.maxNoiseShare)")
        }
    }

    func run() async throws {
        let input = ExtractInput(base: base, caller: caller, architecture: architecture)
        let named = try input.read(path)
        let samples = named.map(\.sample)
        let index = try goodware.map { path throws(EpitopeError) in try GoodwareFile(path: path) }
        let prover = SignatureProver(
            ProverMaterial(
                goodware: index, isGoodwareRequired: index != nil, captures: capture, benignCaptures: benign, noiseShare: noise))
        let ranked = prover.ranked(for: samples)
        guard let best = ranked.first else {
            throw EpitopeError(
                .callerOutsideCode, "no caller's address of \(path) is in its code",
                remedy: "give the address of the first byte with --base and the caller's address with --caller")
        }
        let outcome = prover.prove(samples, given: best.signature)
        let report = ExtractReport(
            samples: named, ranked: all ? ranked : Array(ranked.prefix(Self.shownCandidates)), total: ranked.count, outcome: outcome)
        if let language = output.language {
            let now = Int64(Date().timeIntervalSince1970 * 1000)
            for rule in try report.rules(language, milliseconds: now) { Console.print(rule) }
        } else {
            Console.print(output == .json ? try Console.json(report.document) : report.text)
        }
        if outcome.proven.isEmpty, index != nil || !capture.isEmpty || !benign.isEmpty { throw ExitCode(2) }
    }
}

extension Architecture: ExpressibleByArgument {}
