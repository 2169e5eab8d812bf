// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// `audit` of a center, as a person uses it.
@Suite struct AuditCommandTests {
    private let folder: TemporaryFolder
    private var state: String { "\(folder.path)/state" }

    init() throws { folder = try TemporaryFolder() }

    private func center(_ arguments: String..., environment: [String: String] = [:]) async throws -> Command {
        let command = [arguments[0]] + (arguments[0] == "audit" ? [arguments[1]] : []) + ["--state", state]
        return try await Command.run(
            Command.built("epitope"), ["local-center"] + command + arguments.dropFirst(arguments[0] == "audit" ? 2 : 1),
            environment: ["SUDO_USER": ""].merging(environment) { $1 }, seconds: 60)
    }

    private func head(of verified: Command) throws -> String {
        String(try #require(verified.output.firstMatch(of: /head: ([0-9]+:[0-9a-f]{64})/)).1)
    }

    @Test func `who did what is listed, checked and exported; what was changed is found`() async throws {
        #expect(try await center("init", "--name", "example", "--address", "127.0.0.1").status == 0)
        let user = try await Command.run("/usr/bin/id", ["-un"], seconds: 10).output.trimmingCharacters(in: .newlines)
        let sudo = user == "root" ? " (sudo: alice)" : ""
        #expect(try await center("token", "--host", "web-1", environment: ["SUDO_USER": "alice"]).status == 0)
        let noted = try head(of: try await center("audit", "verify"))
        #expect(try await center("revoke", "--host", "web-1").status == 0)
        struct Entry: Decodable {
            var sequence: Int
            var actor: String
            var action: String
            var subject: String
            var hash: String
        }
        let listed = try JSONDecoder().decode([Entry].self, from: Data(try await center("audit", "list", "--json").output.utf8))
        #expect(
            listed.map { "\($0.actor) \($0.action) \($0.subject)" } == [
                "user \(user)\(sudo) token-made web-1", "user \(user) revoked web-1",
            ])
        let narrow = try await center("audit", "list", environment: ["COLUMNS": "80"])
        #expect(
            narrow.output.contains("token-made") && narrow.output.split(separator: "\n").allSatisfy { $0.count <= 80 }, "\(narrow.output)")
        #expect(try await center("audit", "list", "--action", "revoked").output.split(separator: "\n").count == 2)
        #expect(try await center("audit", "list", "--action", "stored").errors.contains("--action takes one of"))

        let whole = try await center("audit", "verify", "--head", noted)
        #expect(whole.status == 0 && whole.output.contains("whole: 2 entries; the head that was given is in it"), "\(whole.output)")
        let file = "\(folder.path)/audit.jsonl"
        let exported = try await center("audit", "export", file)
        #expect(try head(of: exported) == head(of: whole), "\(exported.errors)")
        #expect(try await center("audit", "export", file).errors.contains("[audit-file-failed]"))
        // Elsewhere there is no center.
        let away = try await Command.run(Command.built("epitope"), ["local-center", "audit", "verify", file, "--head", noted], seconds: 60)
        #expect(away.status == 0 && away.output.contains("whole: 2 entries"), "\(away.errors)")
        let text = try String(contentsOfFile: file, encoding: .utf8)
        try text.replacing("revoked", with: "renewed").write(toFile: file, atomically: true, encoding: .utf8)
        let changed = try await Command.run(Command.built("epitope"), ["local-center", "audit", "verify", file], seconds: 60)
        #expect(changed.status != 0 && changed.errors.contains("is broken at entry 2: its hash is not that"), "\(changed.errors)")
        #expect(changed.errors.contains("[audit-broken]") && changed.output.contains("whole up to entry 1 of"))
        let other = try await center("audit", "verify", "--head", "9\(noted.drop { $0 != ":" })", "--json")
        #expect(other.status != 0 && other.output.contains(#""isWhole" : false"#), "\(other.output)")
        #expect(try await center("audit", "verify", "--head", "9").errors.contains("--head takes NUMBER:HASH"))
    }

    @Test func `a start and settings that are read again are in it`() async throws {
        #expect(try await center("init", "--name", "example", "--address", "127.0.0.1").status == 0)
        let settings = "\(folder.path)/settings.yaml"
        try "requireGoodware: false\nkeepDays: 7\n".write(toFile: settings, atomically: true, encoding: .utf8)
        let serving = try RunningProcess([
            Command.built("epitope"), "local-center", "serve", "--state", state, "--config", settings, "--listen", "127.0.0.1:0",
        ])
        try await serving.line(with: "listening on")
        try "requireGoodware: false\nkeepDays: 8\ncaptureSeconds: 5\n".write(toFile: settings, atomically: true, encoding: .utf8)
        serving.send(SIGHUP)
        try await eventually("the reload is in the log") {
            try await center("audit", "list", "--action", "reconfigured").output.contains("keepDays from 7 to 8")
        }
        let listed = try await center("audit", "list").output
        #expect(listed.contains("keepDays from 30 to 7") && listed.contains("requireGoodware from true to false"), "\(listed)")
        #expect(!listed.contains("captureSeconds"), "that takes a restart")
        #expect(try await serving.end() == 0)
        #expect(try await center("audit", "verify").status == 0)
    }
}
