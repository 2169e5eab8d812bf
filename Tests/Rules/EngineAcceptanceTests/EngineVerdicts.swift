// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import Rendering
import Signatures
import TestSupport
import Testing

@testable import EngineAcceptance

/// What the real engines say of data: for each signature's id, the indices of the samples that its rule matches.
///
/// A signature that a language can't express has no rule there, and no entry.
enum EngineVerdicts {
    static func input(_ signature: Signature, _ index: Int) -> RuleInput {
        RuleInput(
            signature: signature, sid: SIDRange.all.lowerBound + UInt32(index), message: "sample", createdMilliseconds: 1_700_000_000_000)
    }

    /// What Suricata finds in a capture.
    ///
    /// - Parameters:
    ///   - isInline: whether it looks at streams as it does where it can drop packets.
    ///   - hasLimits: whether it looks at as much of bodies as by the settings that come with it, and not at 4 KiB only.
    ///   - number: tells the sample of an alert, by Suricata's record of it.
    static func suricata(
        _ signatures: [Signature], in capture: [UInt8], isInline: Bool, hasLimits: Bool = false, number: ([String: Any]) -> Int?
    ) async throws -> [String: Set<Int>] {
        let program = try #require(EngineCommand.path(of: "suricata"), "suricata is not installed")
        let folder = try TemporaryFolder()
        let rules = try signatures.enumerated().map { try SuricataRendering.render(input($1, $0)) }
        try Data(RulesFileText.render(lines: rules).utf8).write(to: URL(fileURLWithPath: "\(folder.path)/rules"))
        let yaml =
            (hasLimits ? SuricataDefaults.configuration : "%YAML 1.1\n---\n")
            + "stats:\n  enabled: no\noutputs:\n  - eve-log:\n      enabled: yes\n      filename: eve.json\n      types: [alert]\npacket-alert-max: 255\n"
        try Data(yaml.utf8).write(to: URL(fileURLWithPath: "\(folder.path)/suricata.yaml"))
        try Data(capture).write(to: URL(fileURLWithPath: "\(folder.path)/capture"))
        let run = try await Command.run(
            program,
            [
                "-r", "\(folder.path)/capture", "-S", "\(folder.path)/rules", "-c", "\(folder.path)/suricata.yaml", "-l", folder.path, "-k",
                "none", "--runmode", "single",
            ] + (isInline ? ["--simulate-ips"] : []))
        #expect(run.status == 0, "\(run.errors) \(run.output)")
        var found = Dictionary(uniqueKeysWithValues: signatures.map { ($0.id, Set<Int>()) })
        for line in try folder.read("eve.json").split(separator: "\n") {
            let event = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            let alert = try #require(event["alert"] as? [String: Any])
            let rule = try #require(alert["signature_id"] as? Int) - Int(SIDRange.all.lowerBound)
            found[signatures[rule].id, default: []].insert(try #require(number(event)))
        }
        return found
    }

    static func yara(
        _ signatures: [Signature], in samples: [[UInt8]], by program: YaraProgram = .own
    ) async throws -> [String: Set<Int>] {
        let folder = try written(samples)
        let (rules, rendered) = rendered(signatures, in: [.yara])
        var found = rendered
        try Data((rules[.yara] ?? []).joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: "\(folder.path)/rules"))
        let command = program.command(rules: "\(folder.path)/rules", samples: "\(folder.path)/samples")
        let run = try await Command.run(command.program, command.arguments)
        #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
        for line in run.output.split(separator: "\n") {
            let words = line.split(separator: " ")
            let sample = try #require(words.last?.split(separator: "/").last.flatMap { Int($0) })
            found[String(words[0].dropFirst("Epitope_".count)), default: []].insert(sample)
        }
        return found
    }

    static func clamav(_ signatures: [Signature], in samples: [[UInt8]]) async throws -> [String: Set<Int>] {
        let program = try #require(EngineCommand.path(of: "clamscan"), "clamscan is not installed")
        let folder = try written(samples)
        let (rules, rendered) = rendered(signatures, in: [.clamavNDB, .clamavLDB])
        var found = rendered
        var databases: [String] = []
        for (language, ending) in [(RuleLanguage.clamavNDB, "ndb"), (.clamavLDB, "ldb")] {
            guard let lines = rules[language] else { continue }
            let path = "\(folder.path)/rules.\(ending)"
            try Data(lines.map { $0 + "\n" }.joined().utf8).write(to: URL(fileURLWithPath: path))
            databases += ["-d", path]
        }
        let run = try await Command.run(program, ["--no-summary", "--allmatch", "-i"] + databases + ["-r", "\(folder.path)/samples"])
        #expect(run.status == 1, "\(run.errors)")
        for line in run.output.split(separator: "\n") where line.hasSuffix(" FOUND") {
            let parts = line.split(separator: ": ")
            let sample = try #require(parts[0].split(separator: "/").last.flatMap { Int($0) })
            found[String(parts[1].dropFirst("Epitope.Signature-".count).prefix(32)), default: []].insert(sample)
        }
        return found
    }

    /// The samples as files in the folder `samples`, each named by its index.
    private static func written(_ samples: [[UInt8]]) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        _ = try folder.makeFolder("samples")
        for (index, sample) in samples.enumerated() {
            try Data(sample).write(to: URL(fileURLWithPath: "\(folder.path)/samples/\(index)"))
        }
        return folder
    }

    /// The rules of signatures, each in the first of the languages that can express it, and an empty entry for each of those.
    private static func rendered(
        _ signatures: [Signature], in languages: [RuleLanguage]
    ) -> (rules: [RuleLanguage: [String]], entries: [String: Set<Int>]) {
        var rules: [RuleLanguage: [String]] = [:]
        var entries: [String: Set<Int>] = [:]
        for (index, signature) in signatures.enumerated() {
            for language in languages {
                guard let rule = try? language.rendering.render(input(signature, index)) else { continue }
                rules[language, default: []].append(rule)
                entries[signature.id] = []
                break
            }
        }
        return (rules, entries)
    }
}
