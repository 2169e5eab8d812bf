// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Glibc
import Rendering

/// Suricata's own check of rules (`suricata -T`), in a process and a folder of its own: off the hot path.
struct RulesetTest: Sendable {
    let settings: SuricataSettings

    /// What tells one Suricata program from the next, for remembering what it was asked; `nil` when there is none.
    func programIdentity() -> FileIdentity? { FileIdentity(path: settings.binaryPath) }

    /// Checks rules together.
    ///
    /// - Returns: `nil` when Suricata takes them all, else its first complaint.
    func complaint(about rules: [String]) throws(EpitopeError) -> String? {
        let folder = try Self.scratchFolder()
        defer { Self.remove(folder) }
        try RulesFile(path: "\(folder)/trial.rules").write(RulesFileText.render(lines: rules))
        var configuration = settings.configurationFile
        if configuration == nil {
            let minimal = "\(folder)/trial.yaml"
            try RulesFile(path: minimal).write("%YAML 1.1\n---\nstats:\n  enabled: no\n")
            configuration = minimal
        }
        let status = try SuricataProcess.run(
            [
                settings.binaryPath, "-T", "-c", configuration ?? "", "-S", "\(folder)/trial.rules", "-l", folder,
            ], output: "\(folder)/output", within: settings.commandTimeout)
        guard status != 0 else { return nil }
        let said = RulesFile(path: "\(folder)/output").read() ?? ""
        let first = said.split(separator: "\n").first { $0.hasPrefix("Error: ") }
        return first.map { String($0.dropFirst("Error: ".count)) } ?? "suricata -T ended with status \(status)"
    }

    private static func scratchFolder() throws(EpitopeError) -> String {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/epitope-trial-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw EpitopeError(
                .diskFull, "no scratch folder can be made in \(parent): \(String(cString: strerror(errno)))",
                remedy: "make room in \(parent), or name another folder in TMPDIR")
        }
        return String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// Removes the folder and the files in it (Suricata's logs among them).
    private static func remove(_ folder: String) {
        for name in (try? Folders.names(folder)) ?? [] { unlink("\(folder)/\(name)") }
        rmdir(folder)
    }
}
