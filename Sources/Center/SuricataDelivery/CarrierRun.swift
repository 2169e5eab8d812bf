// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Rendering
public import Signatures

/// Runs Suricata over a capture with the rules of one signature, in a process and a folder of its own: as it listens, and as it
/// does where it can drop packets. Each run takes some 0.1 to 0.3 s, of what else is left of the machine: the way of other attacks'
/// rules to the IDS is no longer for it.
public struct CarrierRun: Sendable {
    /// Whether Suricata fired.
    public struct Outcome: Hashable, Sendable {
        public var passive: Bool
        public var inline: Bool
    }

    private let settings: SuricataSettings

    public init(_ settings: SuricataSettings) {
        self.settings = settings
    }

    /// Behind everything else, so that it takes the place of a site's own outputs.
    private static let outputs = """
        outputs:
          - fast:
              enabled: yes
              filename: alerts
        stats:
          enabled: no
        unix-command:
          enabled: no

        """

    /// - Parameter capture: a pcap file. Wrong checksums in it are not looked at.
    /// - Throws: what keeps Suricata from an answer: `suricata-absent`, `suricata-timeout`, `suricata-refused`, and errors of the
    ///   rendering.
    public func outcome(of signature: Signature, over capture: [UInt8]) throws(EpitopeError) -> Outcome {
        let folder = try ScratchFolder()
        var lines: [String] = []
        for rule in try SuricataRule.rules(
            RuleInput(signature: signature, sid: SIDRange.all.lowerBound, createdMilliseconds: 0, lifetimeDays: 1), action: settings.action)
        {
            lines.append(try RuleSyntax.check(rule.text).text)
        }
        try RulesFile(path: folder.path("carrier.rules")).write(RulesFileText.render(lines: lines))
        let base = settings.configurationFile.map { "%YAML 1.1\n---\ninclude: \($0)\n" } ?? SuricataDefaults.configuration
        try RulesFile(path: folder.path("carrier.yaml")).write(base + Self.outputs)
        try RulesFile(path: folder.path("carrier.pcap")).write(bytes: capture)
        return Outcome(
            passive: try isFiring(in: folder, options: []), inline: try isFiring(in: folder, options: ["--simulate-ips"]))
    }

    private func isFiring(in folder: ScratchFolder, options: [String]) throws(EpitopeError) -> Bool {
        let alerts = RulesFile(path: folder.path("alerts"))
        folder.remove("alerts")
        let status = try SuricataProcess.run(
            [
                settings.binaryPath, "-r", folder.path("carrier.pcap"), "-c", folder.path("carrier.yaml"), "-S",
                folder.path("carrier.rules"), "-l", folder.path, "-k", "none", "--runmode", "single",
            ] + options, output: folder.path("output"), within: settings.commandTimeout, isInBackground: true)
        let output = RulesFile(path: folder.path("output")).read() ?? ""
        if let complaint = RulesetTest.complaint(in: output) { throw Self.refusal(complaint) }
        guard status == 0 else { throw Self.refusal("suricata -r ended with status \(status)") }
        return alerts.read()?.isEmpty == false
    }

    private static func refusal(_ complaint: String) -> EpitopeError {
        EpitopeError(
            .suricataRefused, "Suricata did not run over the flow: \(complaint)",
            remedy: "run suricata -r with the center's configurationFile, as the center's user")
    }
}
