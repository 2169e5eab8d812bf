// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import EpitopeModel
import Foundation
import HostFrontEnd
import SettingsFiles
import SettingsYAML

/// What `check` prints: the settings in force with where each is from, what was looked at, and what was found.
struct CheckReport {
    let files: [String]
    let settings: [ListedSetting]
    /// Settings that options override.
    var overridden: [String] = []
    let seen: [(what: String, state: String)]
    let findings: [StartFinding]

    private var problems: Int { findings.count { $0.severity == .problem } }
    private var warnings: Int { findings.count - problems }

    /// - Throws: with status 1, once everything is printed, where there is a problem.
    func print(json: Bool) throws {
        if json { Console.print(try Console.json(Document(self))) } else { printText() }
        if problems > 0 { throw ExitCode.failure }
    }

    private func printText() {
        Console.print(files.isEmpty ? "settings: no file was named (--config)" : "settings, read in this order:")
        for file in files { Console.print("  \(file)") }
        Console.print("")
        Console.print(
            Console.table(
                [["setting", "from", "value"]]
                    + settings.map {
                        [
                            $0.name, $0.place.map { "\(Self.name(of: $0.file)) line \($0.line)" } ?? "default",
                            $0.value ?? ($0.place == nil ? "none" : "refused"),
                        ]
                    }))
        for setting in overridden { Console.print("by an option: \(setting)") }
        Console.print("")
        Console.print(Console.table(seen.map { [$0.what, $0.state] }))
        for finding in findings {
            Console.print("")
            Console.print(
                Console.printable(
                    lines: "\(finding.severity.rawValue): \(finding.message) [\(finding.code)]\n  what to do: \(finding.remedy)"))
        }
        Console.print("")
        Console.print(problems == 0 && warnings == 0 ? "nothing is wrong" : "\(count(problems, "problem")), \(count(warnings, "warning"))")
    }

    private func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }

    private static func name(of path: String) -> String { String(path.split(separator: "/").last ?? "") }

    /// The report as JSON.
    private struct Document: Encodable {
        struct Setting: Encodable {
            var name: String
            var value: Value?
            var file: String?
            var line: Int?
            var column: Int?
            /// `reload` or `start`.
            var applies: String
        }

        var files: [String]
        var settings: [Setting]
        var overridden: [String]
        var seen: [String: String]
        var findings: [StartFinding]
        var problems: Int
        var warnings: Int

        init(_ report: CheckReport) {
            files = report.files
            settings = report.settings.map { setting in
                Setting(
                    name: setting.name, value: setting.value.flatMap { try? JSONDecoder().decode(Value.self, from: Data($0.utf8)) },
                    file: setting.place?.file, line: setting.place?.line, column: setting.place?.column,
                    applies: setting.isLive ? "reload" : "start")
            }
            overridden = report.overridden
            seen = Dictionary(report.seen.map { ($0.what, $0.state) }) { first, _ in first }
            findings = report.findings
            (problems, warnings) = (report.problems, report.warnings)
        }
    }

    /// What a setting can be.
    private enum Value: Codable {
        case flag(Bool), whole(Int), number(Double), text(String), list([String])

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let flag = try? container.decode(Bool.self) {
                self = .flag(flag)
            } else if let whole = try? container.decode(Int.self) {
                self = .whole(whole)
            } else if let number = try? container.decode(Double.self) {
                self = .number(number)
            } else if let text = try? container.decode(String.self) {
                self = .text(text)
            } else {
                self = .list(try container.decode([String].self))
            }
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .flag(let flag): try container.encode(flag)
            case .whole(let whole): try container.encode(whole)
            case .number(let number): try container.encode(number)
            case .text(let text): try container.encode(text)
            case .list(let list): try container.encode(list)
            }
        }
    }
}
