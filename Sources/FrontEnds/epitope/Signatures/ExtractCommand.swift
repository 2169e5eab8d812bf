// SPDX-License-Identifier: Apache-2.0

public import ArgumentParser
import Captures
public import EpitopeModel
import Foundation
import GoodwareFiles
import GoodwareReading
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
            Reads code (a file named *.bin, or any file with --caller), a packet (in its wire format, or JSON), a core dump, or a \
            folder of these, which are samples of one attack; what else a folder holds is skipped and named. Files are told by \
            their first bytes. Ranks the candidates, shows the reasons, and proves them against the goodware and captures given.

            The caller's address is the one right after the instruction that made the critical call: after the syscall, or after \
            the call into the library. Without --caller it is taken where only one can be meant: where a thread of a core dump \
            was, what its stack returns to, the call that ends the code. Else the calls that may be meant are listed.

            Exit status: 0 if a signature was proven and every sample was read, 1 for input that can't be used, 2 if nothing was \
            proven, a caller has to be chosen, or a sample of a folder or a capture could not be read.
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

    @Argument(help: ArgumentHelp("Code, a packet, a core dump, or a folder of samples.", valueName: "path"))
    var path: String

    @Option(help: "Code only: the address of its first byte, decimal or 0x….")
    var base: String?

    @Option(help: "Code and core dumps: the address right after the call. Default: the only one that can be meant.")
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

    @Flag(help: "Print all candidates: as text instead of the best five, as JSON instead of those proven.")
    var all = false

    @Option(
        name: [.short, .long],
        help: """
            text, json, or the rules of the proven signatures: suricata, snort2, snort3, yara, clamav (into a file named *.ldb), stix.
            """)
    var output: Output = .text

    @Option(
        help: """
            The number of the first rule for Suricata or Snort. Default: a signature's own, 1500000 to 1999999, which is the same \
            in every run.
            """)
    var sid: UInt32?

    /// How many candidates are printed without `--all`.
    private static let shownCandidates = 5
    /// How many files of a folder are named that were skipped.
    private static let maxListedSkipped = 20

    func validate() throws {
        guard (0...ProverMaterial.maxNoiseShare).contains(noise) else {
            throw ValidationError("--noise takes 0 to \(ProverMaterial.maxNoiseShare)")
        }
        if let sid {
            guard SIDRange.possible.contains(sid) else { throw ValidationError("--sid takes 1 and more") }
            guard [.suricata, .snort2, .snort3].contains(output) else {
                throw ValidationError("--sid is for --output suricata, snort2 and snort3: no other rules have numbers")
            }
        }
    }

    func run() async throws {
        let found = try ExtractInput(base: base, caller: caller, architecture: architecture).read(path)
        for note in found.notes { Console.log(note) }
        logSkipped(found.skipped)
        if let listing = found.listing { try refer(to: listing) }
        // A mistyped name is said before the work, not among the reasons of a check.
        for captureSet in capture + benign { _ = try CaptureReader.files(of: captureSet) }
        let report = try report(of: found)
        for reason in report.outcome.unreadCaptures { Console.log("not searched: \(reason)") }
        if let sid, SIDRange.all.contains(sid) {
            Console.log("\(sid) is a number that a center gives its own rules: don't load this rule beside them")
        }
        if output.language != nil, report.outcome.proven.isEmpty {
            Console.log(ExtractReport.unproven.description)
            throw ExitCode(2)
        }
        try printResult(report)
        let isComplete = report.outcome.unreadCaptures.isEmpty && !found.skipped.contains(where: \.isUnread)
        if report.outcome.proven.isEmpty || !isComplete { throw ExitCode(2) }
    }

    /// The user has to choose: prints what from.
    private func refer(to listing: CallerListing) throws -> Never {
        switch output {
        case .json: Console.print(try Console.json(listing))
        case .text: Console.print(listing.text(all: all))
        // A rules file that this goes into must not look as if it held rules.
        default: Console.log(listing.text(all: all))
        }
        throw ExitCode(2)
    }

    private func report(of found: ExtractInput.Found) throws(EpitopeError) -> ExtractReport {
        let samples = found.samples.map(\.sample)
        let index = try goodware.map { path throws(EpitopeError) in try GoodwareFile(path: path) }
        if let warning = index?.warning { Console.log(warning) }
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
        let shown = all || output == .json ? ranked : Array(ranked.prefix(Self.shownCandidates))
        return ExtractReport(samples: found.samples, skipped: found.skipped, ranked: shown, total: ranked.count, outcome: outcome)
    }

    private func printResult(_ report: ExtractReport) throws(EpitopeError) {
        if let language = output.language {
            Console.print(try report.rules(language, sid: sid))
        } else if output == .json {
            // The document holds texts, numbers and lists only, which always encode.
            Console.print((try? Console.json(report.document(all: all))) ?? "{}")
        } else {
            Console.print(report.text)
        }
    }

    private func logSkipped(_ skipped: [ExtractInput.Skipped]) {
        for file in skipped.prefix(Self.maxListedSkipped) { Console.log("skipped \(file.path): \(file.reason)") }
        if skipped.count > Self.maxListedSkipped { Console.log("and \(skipped.count - Self.maxListedSkipped) more skipped") }
    }
}

extension Architecture: ExpressibleByArgument {}
