// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Rendering

/// Suricata's own test of rules (`suricata -T`), in a process and a folder of its own, before rules are delivered.
struct RulesetTest: Sendable {
    let settings: SuricataSettings

    /// How Suricata 7.0.10 begins its complaints, with the colours of a terminal switched off:
    /// "Error: detect-parse: unknown rule keyword 'cont'."
    static let complaintPrefix = "Error: "

    /// Distinguishes one Suricata program from the next, so that test results are kept for one program only; `nil` when
    /// there is none.
    func programIdentity() -> FileIdentity? { FileIdentity(path: settings.binaryPath) }

    /// Tests rules together.
    ///
    /// - Returns: `nil` when Suricata accepts them all, else its first complaint.
    func complaint(about rules: [String]) throws(EpitopeError) -> String? {
        let folder = try ScratchFolder()
        try RulesFile(path: folder.path("test.rules")).write(RulesFileText.render(lines: rules))
        var configuration = settings.configurationFile
        if configuration == nil {
            let minimal = folder.path("test.yaml")
            try RulesFile(path: minimal).write("%YAML 1.1\n---\nstats:\n  enabled: no\n")
            configuration = minimal
        }
        let status = try SuricataProcess.run(
            [
                settings.binaryPath, "-T", "-c", configuration ?? "", "-S", folder.path("test.rules"), "-l", folder.path,
            ], output: folder.path("output"), within: settings.commandTimeout)
        guard status != 0 else { return nil }
        let output = RulesFile(path: folder.path("output")).read() ?? ""
        return Self.complaint(in: output) ?? "suricata -T ended with status \(status)"
    }

    /// The first complaint in the output of `suricata -T`.
    static func complaint(in output: String) -> String? {
        output.split(separator: "\n").first { $0.hasPrefix(complaintPrefix) }.map { String($0.dropFirst(complaintPrefix.count)) }
    }
}
