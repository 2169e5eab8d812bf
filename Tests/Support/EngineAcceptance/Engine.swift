// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Rendering
import Signatures

/// An engine, and how to make it load rules.
struct Engine: Sendable {
    var name: String
    var program: String
    /// The languages that it reads, each tried in turn until one can express the signature; with the name of the file
    /// for the rules of that language.
    var languages: [(RuleLanguage, file: String)]
    /// Whether a signature that can't be written in its languages fails.
    var mustRender: Bool
    /// The arguments that make it load the files in a folder and exit.
    var arguments: @Sendable (_ folder: String, _ files: [String]) -> [String]
    /// Other files that it reads from the folder: name and text.
    var companions: [String: String] = [:]

    static let all = [suricata, yara, clamav]

    static let suricata = Engine(
        name: "suricata", program: "suricata", languages: [(.suricata, file: "rules.rules")], mustRender: true,
        arguments: { folder, files in
            ["-T", "-c", "\(folder)/suricata.yaml", "-S", "\(folder)/\(files.first ?? "")", "-l", folder]
        }, companions: ["suricata.yaml": "%YAML 1.1\n---\nstats:\n  enabled: no\n"])

    static let yara = Engine(
        name: "yara", program: "yara", languages: [(.yara, file: "rules.yar")], mustRender: false,
        arguments: { folder, files in ["-w", "\(folder)/\(files.first ?? "")", "/dev/null"] })

    static let clamav = Engine(
        name: "clamav", program: "clamscan",
        languages: [(.clamavNDB, file: "rules.ndb"), (.clamavLDB, file: "rules.ldb")], mustRender: false,
        arguments: { folder, files in
            ["--no-summary"] + files.flatMap { ["-d", "\(folder)/\($0)"] } + ["\(folder)/nothing"]
        }, companions: ["nothing": "nothing\n"])

    /// The rules of distinct signatures by file, and why others have none.
    func rendered(_ signatures: [Signature]) -> (files: [String: String], count: Int, complaints: [String]) {
        var files: [String: String] = [:]
        var complaints: [String] = []
        var seen: Set<String> = []
        var count = 0
        for signature in signatures where seen.insert(signature.id).inserted {
            // More signatures than there are numbers can't be in force at once.
            let subject = RuleInput(
                signature: signature, sid: SIDRange.all.lowerBound + UInt32(seen.count - 1), createdMilliseconds: 0)
            var complaint: String?
            for (language, file) in languages {
                do throws(EpitopeError) {
                    files[file, default: ""] += try language.rendering.render(subject) + "\n"
                    complaint = nil
                    count += 1
                    break
                } catch {
                    complaint = complaint ?? error.message
                }
            }
            if let complaint { complaints.append(complaint) }
        }
        return (files, count, complaints)
    }
}
