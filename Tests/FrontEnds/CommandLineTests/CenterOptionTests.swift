// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// Every option and argument of the centers' commands, with values that make no sense and names that are not there: each is refused
/// at once, by its name or its code.
@Suite struct CenterOptionTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// What is refused, and by what text on standard error. A usage error names the option.
    private struct Nonsense {
        var values: [String]
        var text: String
        var status: Int32 = 1

        static func usage(_ values: String..., naming text: String) -> Nonsense { Nonsense(values: values, text: text, status: 64) }
        static func code(_ values: String..., code: String) -> Nonsense { Nonsense(values: values, text: "[\(code)]") }
    }

    /// By option, without the dashes.
    private static let nonsense: [String: [Nonsense]] = [
        "state": [.usage("", naming: "--state takes a folder"), .code("/nonexistent/state", code: "authority-missing")],
        "name": [.code("", "a b", "\u{1b}[2J", String(repeating: "a", count: 65), code: "name-invalid")],
        "address": [.code("", "a b", "https://center.example", "\u{1b}[2J", code: "name-invalid")],
        "host": [.code("", "a b", "hôte", "a/b", String(repeating: "a", count: 65), code: "name-invalid")],
        "site": [.code("", "a b", "../a", String(repeating: "a", count: 65), code: "name-invalid")],
        "valid-hours": [
            .usage("-1", "0", "8761", naming: "--valid-hours takes 1 to 8760"),
            .usage("", "day", "1.5", "99999999999999999999", naming: "--valid-hours"),
        ],
        "valid-days": [.usage("-1", "0", "366", naming: "--valid-days takes 1 to 365"), .usage("", "day", naming: "--valid-days")],
        "hosts": [.usage("-1", "0", "10001", naming: "--hosts takes 1 to 10000"), .usage("", "all", naming: "--hosts")],
        "names": [.usage("", "web-*", naming: "--names and --network are for several hosts")],
        "network": [.usage("", "192.0.2.0/24", naming: "--names and --network are for several hosts")],
        "revoke": [.code("", "nobody", code: "token-not-open")],
        "limit": [
            .usage("-1", "0", "1000001", naming: "--limit takes 1 to 1000000"),
            .usage("", "all", "1.5", "99999999999999999999", naming: "--limit"),
        ],
        "subject": [.code("", "nobody", code: "subject-unknown")],
        "reason": [.usage("", " \n", naming: "give a --reason")],
        "listen": [
            .usage("", "x", "127.0.0.1", ":7443", "127.0.0.1:65536", "127.0.0.1:-1", "::1:7443", naming: "--listen takes ADDRESS:PORT"),
            .code("nobody.invalid:7443", "192.0.2.1:7443", code: "listening-failed"),
        ],
        "config": [
            .usage("", naming: "--config takes a path"), .code("/nonexistent/settings", "/", code: "configuration-missing"),
        ],
        "config-folder": [
            .usage("", naming: "--config-folder takes a path"),
            .code("/nonexistent/settings", "/etc/passwd", code: "configuration-missing"),
        ],
        "suricata-socket": [.usage("", naming: "--suricata-socket takes a path")],
        "suricata-rules": [.usage("", naming: "--suricata-rules takes a path")],
        "key-socket": [
            .usage("", naming: "--key-socket takes a path"), .code("/nonexistent/key", "/", code: "key-socket-unusable"),
        ],
        "key-folder": [.usage("", naming: "--key-folder takes a path"), .code("/nonexistent/key", "/", code: "authority-missing")],
        "socket": [.usage("", naming: "--socket takes a path"), .code("/nonexistent/key", "/", code: "key-socket-unusable")],
        "max-per-minute": [
            .usage("-1", "0", naming: "numbers from 1 up"), .usage("", "all", "99999999999999999999", naming: "--max-per-minute"),
        ],
        "max-per-day": [
            .usage("-1", "0", naming: "numbers from 1 up"), .usage("", "all", "99999999999999999999", naming: "--max-per-day"),
        ],
        "action": [.usage("", "blok", naming: "alert")],
        "center": [.code("", "x", "http://center.example", "https://center.example:0", "https://a b", code: "center-address-malformed")],
        "token": [.code("", "x", "ept1_x", code: "token-malformed")],
        "relay": [.code("", "a b:99999999", "/x", code: "relay-malformed")],
        "token-file": [.code("/nonexistent/token", "/", code: "token-unreadable")],
        "id": [.code("", "nobody", code: "packet-not-found")],
        "signature": [.code("", "nobody", code: "signature-unknown")],
        "output": [.usage("", naming: "--output takes a path"), .code("/nonexistent/backup", code: "backup-failed")],
        "from": [
            .usage("", naming: "--from takes a path"), .code("/nonexistent/backup", code: "backup-failed"),
            .code("/etc/passwd", code: "backup-damaged"),
        ],
        "revocations": [.usage("", naming: "--revocations takes a path")],
        "metrics": [.code("", "x", "127.0.0.1", "127.0.0.1:65536", code: "configuration-invalid")],
        "log-format": [.usage("", "xml", naming: "--log-format")],
        "code": [.usage("", "zz", naming: "--code takes a SHA-256")],
        "executable": [.usage("", "x", naming: "--executable takes the whole path of a program")],
        "days": [.usage("0", "3651", naming: "--days takes 1 to 3650"), .usage("", "all", naming: "--days")],
        "policy": [.usage("", naming: "--policy takes a path"), .code("/nonexistent/settings", "/", code: "configuration-missing")],
        "capture": [.usage("", naming: "--capture takes a path")],
        "rule": [.code("", "nobody", code: "captures-unknown")],
        "cluster": [.usage("", "x", naming: "--cluster"), .code("99", code: "nothing-to-withdraw")],
        "reporter": [.usage("", "a b", naming: "--reporter takes a name"), .code("nobody", code: "nothing-to-withdraw")],
        "approve signature": [.code("", "nobody", code: "update-not-waiting")],
        "reject signature": [.code("", "nobody", code: "update-not-waiting")],
        "pin signature": [.code("", "nobody", code: "update-not-in-force")],
        "lifetime signature": [.code("", "nobody", code: "update-not-in-force")],
        "unpin signature": [.code("", "nobody", code: "not-pinned")],
        "allow signature": [.usage("", "nobody", naming: "--signature takes the id of one")],
        "allowed signature": [.usage("", "nobody", naming: "--signature takes the id of one")],
        "allow host": [.usage("", "a b", naming: "--host takes a host's name")],
        "allowed host": [.usage("", "a b", naming: "--host takes a host's name")],
    ]

    /// What a command needs beside the option in question.
    private static func needed(by command: String) -> [String: String] {
        switch command {
        case "init": ["name": "x", "address": "127.0.0.1"]
        case "token", "revoke", "trust": ["host": "web-1"]
        case "serve": ["listen": "127.0.0.1:0"]
        case "link": ["center": "https://127.0.0.1:1", "token": "x"]
        case "peer-with": ["site": "x", "center": "https://127.0.0.1:1", "token": "ept1_x"]
        case "peer-without": ["site": "x"]
        case "show": ["id": "x"]
        case "withdraw": ["signature": "x", "reason": "x"]
        case "reinstate", "approve", "unpin": ["signature": "x"]
        case "reject", "pin": ["signature": "x", "reason": "x"]
        case "lifetime": ["signature": "x", "days": "3"]
        case "allow": ["host": "web-1", "reason": "x"]
        case "simulate": ["rule": "x"]
        case "backup": ["output": "/nonexistent/backup"]
        case "restore": ["from": "/nonexistent/backup"]
        case "move-store": ["config": "/nonexistent/settings"]
        default: [:]
        }
    }

    /// Those of which a command takes only one.
    private static let alternatives = [
        "host": "site", "site": "host", "hosts": "host", "token": "token-file", "token-file": "token",
        "code": "host", "executable": "host", "signature": "host", "cluster": "signature", "reporter": "signature", "policy": "rule",
    ]

    private struct Described: Decodable {
        struct Argument: Decodable {
            struct Name: Decodable { var name: String }

            var kind: String
            var valueName: String?
            var preferredName: Name?
            var shouldDisplay: Bool
        }

        var commandName: String
        var arguments: [Argument]?
        var subcommands: [Described]?
    }

    private struct Dump: Decodable { var command: Described }

    /// The options that take a value, and the arguments, of each command of a kind of center.
    private func options(of kind: String) async throws -> [(command: String, options: [(name: String, isPositional: Bool)])] {
        let dump = try await Command.run(Command.built("epitope"), ["--experimental-dump-help"])
        let root = try JSONDecoder().decode(Dump.self, from: Data(dump.output.utf8)).command
        let center = try #require(root.subcommands?.first { $0.commandName == kind })
        return try #require(center.subcommands).filter { $0.commandName != "help" }.map { command in
            let taking = (command.arguments ?? []).filter { $0.shouldDisplay && $0.kind != "flag" }
            return (command.commandName, taking.map { ($0.preferredName?.name ?? $0.valueName ?? "", $0.kind == "positional") })
        }
    }

    private func words(_ command: String, _ values: [String: String], positional: Set<String>, state: String) -> [String] {
        var words = [command]
        for (name, value) in values.sorted(by: { $0.key < $1.key }) where !positional.contains(name) { words += ["--\(name)", value] }
        if values["state"] == nil { words += ["--state", state] }
        return words + values.filter { positional.contains($0.key) }.flatMap { ["--", $0.value] }
    }

    @Test(arguments: ["local-center", "global-center"])
    func `a value that makes no sense is refused by every command`(_ kind: String) async throws {
        let state = "\(folder.path)/state"
        let made = try await Command.run(
            Command.built("epitope"), [kind, "init", "--state", state, "--name", "example", "--address", "127.0.0.1"])
        try #require(made.status == 0, "\(made.errors)")
        let before = try FileManager.default.subpathsOfDirectory(atPath: "\(state)/authority").sorted()
        var tried = 0
        for (command, options) in try await options(of: kind) {
            let positional = Set(options.filter(\.isPositional).map(\.name))
            for (option, _) in options {
                let expected = try #require(
                    Self.nonsense["\(command) \(option)"] ?? Self.nonsense[option],
                    "no value without sense is known for --\(option) of \(command)")
                for nonsense in expected {
                    // A new center's folder need not be there.
                    if ["init", "restore"].contains(command), nonsense.text == "[authority-missing]" { continue }
                    for value in nonsense.values {
                        var values = Self.needed(by: command)
                        if let other = Self.alternatives[option] { values[other] = nil }
                        values[option] = value
                        // `init` looks for its folder last.
                        let own = command == "init" ? "\(folder.path)/new" : state
                        let run = try await Command.run(
                            Command.built("epitope"), [kind] + words(command, values, positional: positional, state: own), seconds: 30)
                        // A check says what it found where it is asked for that.
                        let said = run.errors + (command == "check" ? run.output : "")
                        #expect(
                            run.status == nonsense.status && said.contains(nonsense.text),
                            "\(kind) \(command) --\(option) '\(value)': \(run.status) \(run.errors)")
                        if command != "check" { #expect(run.output.isEmpty, "\(kind) \(command) --\(option) '\(value)': \(run.output)") }
                        tried += 1
                    }
                }
            }
        }
        #expect(tried > 60)
        #expect(try FileManager.default.subpathsOfDirectory(atPath: "\(state)/authority").sorted() == before)
        #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/new"))
    }

    @Test(arguments: ["local-center", "global-center"])
    func `a name that nobody has is refused, and the one that was meant is said`(_ kind: String) async throws {
        let state = "\(folder.path)/state"
        func center(_ words: String...) async throws -> Command {
            try await Command.run(Command.built("epitope"), [kind, words[0], "--state", state] + words.dropFirst())
        }
        #expect(try await center("init", "--name", "example", "--address", "127.0.0.1").status == 0)
        #expect(try await center("token", "--host", "web-1").status == 0)
        for command in kind == "global-center" ? ["revoke", "trust"] : ["revoke"] {
            let near = try await center(command, "--host", "wbe-1")
            #expect(near.status == 1 && near.errors.contains("[peer-unknown]"), "\(near.errors)")
            #expect(near.errors.contains("did you mean 'web-1'?") && near.errors.contains("`epitope \(kind) peers`"), "\(near.errors)")
            let far = try await center(command, "--host", "database")
            #expect(far.status == 1 && far.errors.contains("[peer-unknown]") && !far.errors.contains("did you mean"), "\(far.errors)")
        }
        #expect(try await center("events", "--subject", "database").errors.contains("[subject-unknown]"))
        #expect(try await center("peers").output.contains("invited"))
        let revoked = try await center("revoke", "--host", "web-1")
        #expect(revoked.status == 0 && revoked.output == "revoked host web-1\n", "\(revoked.errors)")
        #expect(try await center("revoke", "--host", "web-1").status == 0, "once more is no mistake")
        // A store that was lost has forgotten who holds certificates.
        #expect(try await center("revoke", "--host", "database", "--unknown").status == 0)
        let listed = try await center("peers").output.split(separator: "\n").map(String.init)
        #expect(listed.count == 3)
        #expect(listed.dropFirst().allSatisfy { $0.contains("revoked") }, "\(listed)")
    }

    @Test(arguments: [
        ("local-center revoke", "(--host <name> | --site <name>)", "--host NAME or --site NAME"),
        ("local-center token", "(--host <name> | --site <name> | --hosts <count>", "--host NAME, --site NAME and --hosts COUNT"),
        ("global-center token", "(--host <name> | --site <name> | --hosts <count>", "--host NAME, --site NAME and --hosts COUNT"),
        ("global-center revoke --host a --site b", "(--host <name> | --site <name>)", "--host NAME or --site NAME"),
        ("global-center trust", "(--host <name> | --site <name>)", "--host NAME or --site NAME"),
        ("local-center link --center https://g", "(--token <token> | --token-file <file>)", "--token-file FILE and --token TOKEN"),
        ("enroll --center https://c", "(--token <token> | --token-file <file>)", "--token-file FILE and --token TOKEN"),
        ("verify x", "(--in <path> ... | --capture <path> ...)", "--in PATH, --capture PATH"),
        ("goodware query x", "(<hex> | --file <file>)", "there are no bytes"),
    ])
    func `what a command needs is no option by its usage, and is asked for`(_ words: String, usage: String, error: String) async throws {
        let run = try await Command.run(Command.built("epitope"), words.split(separator: " ").map(String.init))
        #expect(run.status != 0 && run.errors.contains(error), "\(run.errors)")
        let command = words.split(separator: " ").prefix { !$0.hasPrefix("-") && $0 != "x" }.map(String.init)
        let help = try await Command.run(Command.built("epitope"), command + ["--help"])
        let line = help.output.split(separator: "\n").first { $0.hasPrefix("USAGE: ") } ?? ""
        #expect(line.contains(usage), "\(help.output)")
        if run.status == 64 { #expect(run.errors.contains(usage), "\(run.errors)") }
        // Written by hand, it names every option that the help lists.
        let listed = help.output.matches(of: /(?m)^ +(?:-\w, )?(--[a-z-]+)/).map { String($0.1) }
        #expect(listed.count > 2)
        for option in listed where option != "--version" && option != "--help" {
            #expect(line.contains(option), "\(option) is missing: \(line)")
        }
    }

    @Test func `a new center names the next step by whom it serves`() async throws {
        for (kind, option) in [("local-center", "--host NAME"), ("global-center", "--site NAME")] {
            let made = try await Command.run(
                Command.built("epitope"),
                [kind, "init", "--state", "\(folder.path)/\(kind)", "--name", "example", "--address", "127.0.0.1"])
            #expect(made.output.contains("next: epitope \(kind) token --state \(folder.path)/\(kind) \(option), and"), "\(made.output)")
        }
    }
}
