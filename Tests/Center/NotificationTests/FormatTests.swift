// SPDX-License-Identifier: Apache-2.0

import CenterStore
import EpitopeModel
import Foundation
import Signatures
import TestSupport
import Testing

@testable import NotificationDelivery
@testable import Notifications

/// Every format against the file that what real receivers got is compared with, too (``ReceiverTests``).
@Suite struct FormatTests {
    static let snapshots = Snapshots(folder: "Tests/Center/NotificationTests/Snapshots")

    /// What each snapshot holds.
    static func bytes(_ name: String, _ notice: Notice) -> [UInt8] {
        let sender = Sample.sender
        return switch name {
        case "webhook.json": WebhookMessage.body(notice, from: sender)
        case "slack.json": ChatMessage.body(notice, from: sender, in: .slack)
        case "mattermost.json": ChatMessage.body(notice, from: sender, in: .mattermost)
        case "syslog": SyslogMessage.bytes(notice, from: sender, as: .structured)
        case "cef": SyslogMessage.bytes(notice, from: sender, as: .cef)
        case "ecs.json": ECSDocument.bytes(notice, from: sender)
        case "ocsf.json": OCSFFinding.bytes(notice, from: sender)
        case "otlp.json": OTLPLogs.body([notice], from: sender, observedMilliseconds: 1_796_139_361_000)
        default: MailMessage.bytes(notice, from: sender, address: "epitope@example.org", to: ["soc@example.org", "ops@example.org"])
        }
    }

    static let names = ["webhook.json", "slack.json", "mattermost.json", "syslog", "cef", "ecs.json", "ocsf.json", "otlp.json", "mail"]

    @Test(arguments: names) func `a notice is written as its format has it`(_ name: String) {
        for (kind, notice) in [("single", Sample.single), ("grouped", Sample.grouped)] {
            let text = String(decoding: Self.bytes(name, notice), as: UTF8.self)
            #expect(Self.snapshots.difference(text, from: "\(kind).\(name)") == nil)
        }
    }

    @Test(arguments: names.filter { $0 != "mail" }) func `what others write makes no second line`(_ name: String) {
        let bytes = Self.bytes(name, Sample.single)
        #expect(bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7F })
    }

    @Test func `what others write makes no header of a mail`() {
        let text = String(decoding: Self.bytes("mail", Sample.single), as: UTF8.self)
        let head = text.components(separatedBy: "\r\n\r\n")[0]
        #expect(!head.lowercased().contains("\r\nbcc:"))
        #expect(text.utf8.allSatisfy { $0 < 0x80 })
        let lines = text.components(separatedBy: "\r\n")
        #expect(lines.allSatisfy { $0.utf8.count <= 998 && !$0.contains("\n") && !$0.contains("\r") })
        #expect(lines.drop { !$0.isEmpty }.allSatisfy { $0.utf8.count <= 76 })
    }

    @Test func `CEF's fields end where they should`() throws {
        let text = String(decoding: CEFMessage.bytes(Sample.single, from: Sample.sender), as: UTF8.self)
        // None of the first seven fields has a bar of its own.
        let parts = text.split(separator: "|", maxSplits: 7, omittingEmptySubsequences: false)
        #expect(parts.prefix(7).map(String.init) == ["CEF:0", "Epitope", "local-center", "1.2.3", "delivered", "A rule is live", "8"])
        #expect(text.contains(#"msg=proc|name\=x "y" ]} \\ & <script>"#))
    }

    @Test func `Slack reads no markup in what others wrote`() {
        let text = String(decoding: Self.bytes("slack.json", Sample.single), as: UTF8.self)
        #expect(!text.contains("<") && !text.contains("`code`"))
        #expect(text.contains("&lt;!channel&gt;"))
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z", "Thu, 01 Jan 1970 00:00:00 +0000"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z", "Mon, 28 Feb 2000 23:59:59 +0000"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z", "Tue, 29 Feb 2000 00:00:00 +0000"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z", "Mon, 01 Mar 2100 00:00:00 +0000"),
            (-1, "1969-12-31T23:59:59.999Z", "Wed, 31 Dec 1969 23:59:59 +0000"),
        ] as [(Int64, String, String)])
    func `times are those of the calendar`(_ milliseconds: Int64, _ text: String, _ mail: String) {
        #expect(Timestamp.text(milliseconds) == text)
        #expect(Timestamp.mail(milliseconds) == mail)
    }

    @Test func `a signature is that of Standard Webhooks' own example`() throws {
        // The test vector of its reference libraries.
        let signature = try #require(WebhookSignature(secret: Array("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n".utf8)))
        let headers = signature.headers(
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek", seconds: 1_614_265_330, body: Array(#"{"test": 2432232314}"#.utf8))
        #expect(headers.last?.value == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
    }

    @Test(arguments: ["", "whsec_", "whsec_AAAA", "whsec_%%%%", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
    func `what is no secret signs nothing`(_ secret: String) { #expect(WebhookSignature(secret: Array(secret.utf8)) == nil) }
}

@Suite struct EventKindTests {
    @Test func `each step of the audit trail can be told of, but for what stores packets`() {
        let steps = Set(CenterEvent.Step.allCases.map(\.rawValue)).subtracting(["stored"])
        #expect(Set(EventKind.allCases.map(\.rawValue)).subtracting(["test"]) == steps)
    }

    @Test func `an attack is as severe as its evidence is good`() {
        func severity(_ kind: EventKind, _ grade: EvidenceGrade?) -> Severity {
            NotifiedEvent(sequence: 1, timeMilliseconds: 0, kind: kind, subject: "s", detail: "", grade: grade).severity
        }
        #expect([nil, .reported, .corroborated, .confirmed].map { severity(.delivered, $0) } == [.medium, .medium, .high, .critical])
        #expect(severity(.restored, .reported) == .high)
        #expect(severity(.expired, .confirmed) == .informational)
    }

    @Test func `texts of others are one bounded line`() {
        #expect(VisibleText.line("a\r\n\u{1B}[31m\u{2028}\u{202E}é", maxLength: 100) == #"a\u{D}\u{A}\u{1B}[31m\u{2028}\u{202E}é"#)
        #expect(VisibleText.line("a".repeated(50), maxLength: 10) == "a".repeated(10) + "…")
    }
}

@Suite struct NotificationRuleTests {
    private func event(
        _ kind: EventKind, _ grade: EvidenceGrade? = nil, at addresses: [String] = [], subject: String = "s"
    ) -> NotifiedEvent {
        NotifiedEvent(
            sequence: 1, timeMilliseconds: 0, kind: kind, subject: subject, detail: "", grade: grade,
            addresses: addresses.compactMap { IPAddress($0) })
    }

    @Test func `a rule that says nothing tells everything but the steps of packets`() {
        let rule = NotificationRule(destinations: ["a"])
        for kind in EventKind.allCases where kind != .test { #expect(rule.matches(event(kind)) == (kind.group != .packet), "\(kind)") }
    }

    @Test func `each thing that a rule says must hold`() throws {
        let network = try #require(IPNetwork("192.0.2.0/24"))
        let rule = NotificationRule(
            kinds: [.delivered], minSeverity: .high, minGrade: .corroborated, networks: [network], destinations: ["a"])
        #expect(rule.matches(event(.delivered, .corroborated, at: ["198.51.100.1", "::ffff:192.0.2.9"])))
        #expect(!rule.matches(event(.proven, .corroborated, at: ["192.0.2.9"])))
        #expect(!rule.matches(event(.delivered, .reported, at: ["192.0.2.9"])))
        #expect(!rule.matches(event(.delivered, nil, at: ["192.0.2.9"])))
        #expect(!rule.matches(event(.delivered, .confirmed, at: ["198.51.100.1"])))
        #expect(!rule.matches(event(.delivered, .confirmed)))
    }

    @Test func `an event is told once to each, and a destination not of its own losses`() {
        let rules = NotificationRules([
            NotificationRule(kinds: [.noticesDropped], destinations: ["a", "b"]), NotificationRule(destinations: ["b", "c"]),
        ])
        #expect(rules.destinations(of: event(.noticesDropped, subject: "b")) == ["a", "c"])
        #expect(rules.destinations(of: event(.revoked)) == ["b", "c"])
    }

    @Test func `repeats of a kind are gathered until their window ends`() {
        func decide(_ until: Int64?, _ isGathering: Bool, _ now: Int64, _ length: Int64 = 100) -> RepeatWindow.Decision {
            RepeatWindow.decide(length: length, until: until, isGathering: isGathering, now: now)
        }
        #expect(decide(nil, false, 1000) == .tell(windowUntil: 1100))
        #expect(decide(1100, false, 1050) == .gather(due: 1100, windowUntil: 1200))
        #expect(decide(1200, true, 1060) == .join)
        #expect(decide(1200, false, 1150) == .gather(due: 1200, windowUntil: 1300))
        #expect(decide(1200, false, 1200) == .tell(windowUntil: 1300))
        #expect(decide(1200, false, 1, 0) == .tell(windowUntil: 1))
        // A clock that was set back.
        #expect(decide(1_000_000, false, 1000) == .tell(windowUntil: 1100))
    }
}
