// SPDX-License-Identifier: Apache-2.0

import CenterStore
import EpitopeModel
import Foundation
import SettingsFiles
import Signatures
import TestSupport
import Testing

@testable import NotificationDelivery
@testable import Notifications

/// Settings of notices: what is refused, where, and what becomes of the rest.
@Suite struct NotificationSettingsTests {
    @Test func `rules and destinations are what the settings say`() throws {
        let read = try notificationSettings(
            """
            destinations:
              soc: {kind: webhook, url: "https://soc.example/hook", secretFile: /etc/soc.secret, maxWaiting: 5}
              chat: {kind: slack, urlFile: /etc/slack.url}
            rules:
              one: {events: [rule, revoked], minSeverity: high, minGrade: corroborated, networks: [192.0.2.0/24], to: [soc, chat]}
            """)
        #expect(read.problems.isEmpty, "\(read.problems)")
        let plan = read.settings.plan
        #expect(plan.destinations["soc"]?.maxWaiting == 5)
        #expect(plan.destinations.mapValues(\.windowMilliseconds) == ["soc": 0, "chat": 300_000])
        let rule = try #require(plan.rules.rules.first)
        #expect(rule.kinds.isSuperset(of: [.delivered, .withdrawn, .revoked]) && !rule.kinds.contains(.enrolled))
        #expect((rule.minSeverity, rule.minGrade) == (.high, .corroborated))
        #expect(rule.networks.map(\.description) == ["192.0.2.0/24"] && rule.destinations == ["soc", "chat"])
    }

    /// Each with the line that is at fault, and a word of what is said.
    @Test(arguments: [
        ("destinations:\n  soc: {}", 2, "has no kind"),
        ("destinations:\n  soc:\n    kind: carrier-pigeon", 3, "carrier-pigeon"),
        ("destinations:\n  Soc: {kind: file, path: /a}", 2, "lower-case"),
        ("destinations:\n  soc: file", 2, "not keys with values"),
        ("destinations: [soc]", 1, "not names"),
        ("destinations:\n  soc:\n    kind: file\n    path: /a\n    facility: 3", 5, "has no 'facility'"),
        ("destinations:\n  soc: {kind: webhook, url: 'https://a.example/'}", 2, "needs 'secretFile'"),
        ("destinations:\n  soc: {kind: slack}", 2, "needs a url"),
        ("destinations:\n  soc: {kind: slack, url: 'https://a/', urlFile: /a}", 2, "needs a url"),
        ("destinations:\n  soc:\n    kind: slack\n    url: http://chat.example/hook", 4, "without encryption"),
        ("destinations:\n  soc:\n    kind: slack\n    url: ftp://chat.example/hook", 4, "none that can be posted to"),
        ("destinations:\n  soc:\n    kind: slack\n    url: 'https://user:secret@chat.example/'", 4, "none that can be posted to"),
        ("destinations:\n  soc:\n    kind: file\n    path: events.json", 4, "absolute"),
        ("destinations:\n  soc:\n    kind: file\n    path: /a\n    format: cef", 5, "can't be told in 'cef'"),
        ("destinations:\n  soc:\n    kind: syslog\n    transport: udp\n    address: siem.example", 5, "no address"),
        ("destinations:\n  soc:\n    kind: syslog\n    address: 'a:1'\n    transport: starttls", 5, "can't be reached by"),
        ("destinations:\n  m:\n    kind: email\n    address: 'a:25'\n    from: a@b\n    to: ['x@y', 'x@y\\nBcc: z']", 6, "no mail address"),
        ("destinations:\n  m:\n    kind: email\n    address: 'a:25'\n    from: a@b\n    to: ['x@y']\n    transport: tcp", 7, "without TLS"),
        ("destinations:\n  m: {kind: email, address: 'a:25', from: a@b, to: ['x@y'], user: me}", 2, "user and passwordFile"),
        ("rules:\n  one:\n    to: [nobody]", 3, "no destination"),
        ("destinations:\n  f: {kind: file, path: /a}\nrules:\n  one:\n    events: [delivred]\n    to: [f]", 5, "did you mean 'delivered'"),
        ("destinations:\n  f: {kind: file, path: /a}\nrules:\n  one:\n    networks: [192.0.2.0]\n    to: [f]", 5, "is no network"),
        ("rules:\n  one:\n    minGrade: sure", 3, "sure"),
        ("rules:\n  one: {}", 2, "tells nobody"),
        ("destinations:\n  f:\n    kind: file\n    path: /a\n    maxWaiting: 0", 5, "1 to 10000"),
    ])
    func `what can't be used is refused with its line and what to do`(_ yaml: String, _ line: Int, _ word: String) throws {
        let problems = try notificationSettings(yaml).problems
        let problem = try #require(problems.first)
        #expect(problem.place?.line == line, "\(problem)")
        #expect(problem.error.description.contains(word), "\(problem)")
        #expect(problem.error.code == .configurationInvalid && !problem.error.remedy.isEmpty)
        #expect(!"\(problem)".contains("user:secret"))
    }

    @Test func `the examples of the documentation can be used as they are`() throws {
        let page = try String(contentsOfFile: "\(PackageFolder.path)/Documentation/Operating/Notifications.md", encoding: .utf8)
        let blocks = page.matches(of: /(?s)```yaml\n(.*?)```/).map { String($0.1) }
        #expect(blocks.count >= 5)
        for block in blocks {
            let isWhole = block.hasPrefix("notifications:\n")
            let text = isWhole ? String(block.dropFirst("notifications:\n".count)) : "destinations:\n" + block
            let read = try notificationSettings(text)
            #expect(read.problems.isEmpty, "\(read.problems)")
            #expect(!read.settings.destinations.groups.isEmpty && read.settings.rules.groups.isEmpty != isWhole)
        }
        // Each kind of event stands there with its group.
        for group in EventKind.Group.allCases {
            let row = page.split(separator: "\n").first { $0.hasPrefix("| `\(group.rawValue)` |") } ?? ""
            let words = Set(row.split(separator: "|").last?.matches(of: /`([a-z-]+)`/).map { String($0.1) } ?? [])
            #expect(words == Set(EventKind.allCases.filter { $0.group == group && $0 != .test }.map(\.rawValue)), "\(group)")
        }
    }

    @Test func `of an address only the machine is listed`() throws {
        let settings = try notificationSettings(
            "destinations:\n  chat: {kind: slack, url: \"https://hooks.slack.example:8443/services/T0/B0/XXXX?a=b\"}"
        ).settings
        let listed = settings.list()
        #expect(listed.first { $0.name == "destinations.chat.url" }?.value == #""https://hooks.slack.example:8443/...""#)
        #expect(listed.contains { $0.name == "destinations.chat.kind" && $0.value == #""slack""# && $0.isLive })
        #expect(!"\(listed)".contains("XXXX") && !"\(listed)".contains("services"))
    }

    @Test(arguments: [
        ("http://127.0.0.1:9000/x", true), ("http://localhost/x", true), ("http://[::1]:1/x", true), ("http://127.0.0.1.example/x", false),
        ("http://10.0.0.1/x", false), ("http://[::2]/", false), ("https://a.example/x?y=z", true), ("https:///x", false),
        ("https://a.example/x y", false), ("https://a.example/#f", false), ("file:///etc/passwd", false), ("", false),
    ])
    func `only what is encrypted or stays here is posted to`(_ text: String, _ isTaken: Bool) {
        let address = try? HTTPAddress(text, allowsPlainText: false)
        #expect((address != nil) == isTaken)
    }

    @Test func `a secret is read only from a file that nobody else reads`() throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/secret"
        let file = SecretFile(path: path)
        func code(_ content: String?, _ mode: mode_t) throws -> EpitopeError.Code? {
            try? FileManager.default.removeItem(atPath: path)
            if let content { try Data(content.utf8).write(to: URL(filePath: path)) }
            chmod(path, mode)
            do throws(EpitopeError) {
                #expect(try file.line() == "token")
                return nil
            } catch {
                #expect(!error.description.contains("token"))
                return error.code
            }
        }
        #expect(try code(" token \n", 0o600) == nil)
        #expect(try code("token", 0o400) == nil)
        for mode: mode_t in [0o640, 0o604, 0o660, 0o620] { #expect(try code("token", mode) == .secretUnusable) }
        #expect(try code(nil, 0o600) == .secretUnusable)
        #expect(try code("", 0o600) == .secretUnusable)
        #expect(try code("token\nanother", 0o600) == .secretUnusable)
        #expect(try code("token".repeated(20_000), 0o600) == .secretUnusable)
    }
}
