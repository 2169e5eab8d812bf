// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

@testable import EngineAcceptance

/// A YARA whose verdicts are compared with the matcher's.
enum YaraProgram: String, CaseIterable, Sendable, CustomTestStringConvertible {
    /// This machine's own: 4.2 on Debian 12.
    case own = "yara"
    /// That of Debian 13 (4.5), from a tree of that release's files (`Scripts/fetch-packages`).
    case ofTrixie = "yara of trixie"
    /// YARA-X, by its Python module: no release of Debian has it.
    case yaraX = "yara-x"

    var testDescription: String { rawValue }

    private static let trixie: (path: String, missing: String?) = {
        let environment = ProcessInfo.processInfo.environment
        let cache = environment["XDG_CACHE_HOME"] ?? "\(environment["HOME"] ?? "/root")/.cache"
        let path = "\(cache)/epitope/trixie/yara"
        let fetching = Process()
        let errors = Pipe()
        fetching.executableURL = URL(fileURLWithPath: "\(PackageFolder.path)/Scripts/fetch-packages")
        fetching.arguments = ["trixie", path, "yara"]
        fetching.standardOutput = FileHandle.nullDevice
        fetching.standardError = errors
        guard (try? fetching.run()) != nil else { return (path, "Scripts/fetch-packages can't be run") }
        let said = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        fetching.waitUntilExit()
        return (path, fetching.terminationStatus == 0 ? nil : "the yara of Debian trixie can't be had: \(said)")
    }()

    private static var python: String? {
        ProcessInfo.processInfo.environment["EPITOPE_PYTHON"] ?? EngineCommand.path(of: "python3")
    }

    private static let missingYaraX: String? = {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: python ?? "/usr/bin/python3")
        process.arguments = ["-c", "import yara_x"]
        process.standardError = FileHandle.nullDevice
        let isThere = (try? process.run()) != nil
        if isThere { process.waitUntilExit() }
        guard isThere, process.terminationStatus == 0 else {
            return "no module yara_x: python3 -m venv F; F/bin/pip install yara-x; EPITOPE_PYTHON=F/bin/python swift test ..."
        }
        return nil
    }()

    /// Why this machine can't run it; `nil` where it can.
    var missing: String? {
        switch self {
        case .own: EngineCommand.path(of: "yara") == nil ? "yara is missing: Scripts/install-dependencies test" : nil
        case .ofTrixie: Self.trixie.missing
        case .yaraX: Self.missingYaraX
        }
    }

    static let present = allCases.filter { $0.missing == nil }

    /// What is left out, for the screen.
    static let remark = allCases.compactMap { program in program.missing.map { "left out: \(program.rawValue): \($0)" } }
        .joined(separator: "; ")

    /// The program and arguments that print `RULE FILE` for each match of the rules in the files of a folder.
    func command(rules: String, samples: String) -> (program: String, arguments: [String]) {
        switch self {
        case .own: return (EngineCommand.path(of: "yara") ?? "yara", ["-w", "-r", rules, samples])
        case .ofTrixie:
            let tree = Self.trixie.path
            let loader = ["--library-path", "\(tree)/usr/lib/x86_64-linux-gnu", "\(tree)/usr/bin/yara"]
            return ("\(tree)/lib64/ld-linux-x86-64.so.2", loader + ["-w", "-r", rules, samples])
        case .yaraX: return (Self.python ?? "python3", ["-c", Self.yaraXScript, rules, samples])
        }
    }

    private static let yaraXScript = """
        import os, sys, yara_x
        rules = yara_x.compile(open(sys.argv[1]).read())
        for name in os.listdir(sys.argv[2]):
            path = os.path.join(sys.argv[2], name)
            for rule in yara_x.Scanner(rules).scan(open(path, "rb").read()).matching_rules:
                print(rule.identifier, path)
        """
}
