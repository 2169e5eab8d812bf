// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import SettingsFiles
import TestSupport
import Testing

@testable import NotificationDelivery
@testable import Notifications

/// What real receivers get, compared byte by byte with what each format is said to be (``FormatTests``), and what they make of it.
@Suite(.serialized) struct ReceiverTests {
    private func settings(_ receivers: Receivers, _ change: (inout DestinationSettings) -> Void) -> DestinationSettings {
        var settings = DestinationSettings()
        change(&settings)
        #expect(settings.faults.isEmpty, "\(settings.faults)")
        return settings
    }

    private func send(_ notices: [Notice], to settings: DestinationSettings) async throws -> DeliveryOutcome {
        let transport = try settings.transport(from: Sample.sender)
        do {
            let outcome = try await transport.send(notices)
            await transport.close()
            return outcome
        } catch {
            await transport.close()
            throw error
        }
    }

    private func expected(_ name: String, _ notice: Notice) -> String { String(decoding: FormatTests.bytes(name, notice), as: UTF8.self) }

    @Test(arguments: [("slack", "slack.json"), ("mattermost", "mattermost.json"), ("webhook", "webhook.json"), ("ocsf", "ocsf.json")])
    func `webhooks get what the format is`(_ kind: String, _ snapshot: String) async throws {
        let receivers = try await Receivers.shared.value
        let destination = settings(receivers) {
            $0.kind = DestinationSettings.Kind(rawValue: kind) ?? .webhook
            $0.url = ConfidentialText(receivers.url("\(kind)/\(snapshot)"))
            if $0.kind == .webhook { $0.secretFile = "\(receivers.folder.path)/secret" }
            if kind == "ocsf" { $0.format = .ocsf }
        }
        for notice in [Sample.single, Sample.grouped] {
            let outcome = try await send([notice], to: destination)
            #expect(outcome.answer.hasPrefix("200"), "\(outcome)")
        }
        let got = receivers.messages("\(kind)/\(snapshot)")
        #expect(got.map(\.text) == [Sample.single, Sample.grouped].map { expected(snapshot, $0) })
        #expect(got.allSatisfy { $0.headers["content-type"] == "application/json" })
        switch kind {
        case "webhook":
            // Verified by the library of Standard Webhooks, which raises for another signature or an old time.
            #expect(got.map { $0.fields["verdict"] as? String } == ["epitope.delivered", "epitope.unproven"])
            #expect(got.map(\.id) == [Sample.single.id, Sample.grouped.id])
        case "ocsf":
            let findings = got.compactMap { $0.fields["verdict"] as? [String: Any] }
            #expect(findings.map { $0["severity"] as? String } == ["High", "Low"])
            #expect(findings.map { $0["type"] as? String } == ["Create", "Create"], "\(findings)")
            #expect(findings.first?["observables"] as? Int == 4)
        default: break
        }
    }

    @Test func `a signature by another key is refused by the receiver`() async throws {
        let receivers = try await Receivers.shared.value
        let folder = try TemporaryFolder()
        try Receivers.secret("whsec_" + Data(repeating: 9, count: 32).base64EncodedString(), in: "\(folder.path)/other")
        let destination = settings(receivers) {
            $0.kind = .webhook
            $0.url = ConfidentialText(receivers.url("webhook/forged"))
            $0.secretFile = "\(folder.path)/other"
        }
        let error = await #expect(throws: EpitopeError.self) { try await send([Sample.single], to: destination) }
        #expect(error?.code == .destinationRefused)
        #expect(error?.message.contains("401") == true)
    }

    @Test func `OpenTelemetry's own messages read what a collector gets`() async throws {
        let receivers = try await Receivers.shared.value
        let destination = settings(receivers) {
            $0.kind = .otlp
            $0.url = ConfidentialText(receivers.url("otlp/v1/logs"))
        }
        _ = try await send([Sample.single, Sample.grouped], to: destination)
        let got = try #require(receivers.messages("otlp/v1/logs").last)
        let verdict = try #require(got.fields["verdict"] as? [String: Any], "\(got.fields)")
        #expect(verdict["service"] as? String == "local-center")
        let logs = try #require(verdict["logs"] as? [[String: Any]])
        #expect(logs.map { $0["id"] as? String } == [Sample.single.id, Sample.grouped.id])
        #expect(logs.map { $0["body"] as? String } == [Sample.single.message, Sample.grouped.message])
        #expect(logs.map { $0["severity"] as? Int } == [17, 10])
        #expect(logs.map { $0["sid"] as? Int } == [1_000_007, nil])
        #expect(logs.map { $0["time"] as? Int } == [1_796_139_360_123_000_000, 1_796_139_372_000_000_000])
        // When it was sent differs from run to run.
        let observed = try #require(got.text.firstMatch(of: /"observedTimeUnixNano":"([0-9]+)000000"/))
        let whole = OTLPLogs.body(
            [Sample.single, Sample.grouped], from: Sample.sender, observedMilliseconds: try #require(Int64(observed.1)))
        #expect(got.body == whole)
    }

    @Test func `logs that a collector rejects are counted, and not sent again`() async throws {
        let receivers = try await Receivers.shared.value
        let destination = settings(receivers) {
            $0.kind = .otlp
            $0.url = ConfidentialText(receivers.url("partial/v1/logs"))
        }
        let outcome = try await send([Sample.single, Sample.grouped], to: destination)
        #expect(outcome.refused == 1)
        #expect(outcome.refusal?.code == .noticeRefused)
    }

    @Test func `HTTPS is checked by the authority of the settings`() async throws {
        let receivers = try await Receivers.shared.value
        var destination = settings(receivers) {
            $0.kind = .slack
            $0.url = ConfidentialText("https://localhost:\(receivers.port("https"))/slack/tls")
            $0.authorityFile = "\(receivers.folder.path)/cert.pem"
        }
        #expect(try await send([Sample.single], to: destination).answer == "200: ok")
        destination.authorityFile = nil
        let error = await #expect(throws: EpitopeError.self) { try await send([Sample.single], to: destination) }
        #expect(error?.code == .destinationUntrusted, "\(String(describing: error))")
        #expect(receivers.messages("slack/tls").count == 1)
    }

    @Test func `a redirect is not followed`() async throws {
        let receivers = try await Receivers.shared.value
        let destination = settings(receivers) {
            $0.kind = .slack
            $0.url = ConfidentialText(receivers.url("redirect/a-secret-path"))
        }
        let error = await #expect(throws: EpitopeError.self) { try await send([Sample.single], to: destination) }
        #expect(error?.code == .destinationRefused)
        #expect(error?.description.contains("a-secret-path") == false, "\(String(describing: error))")
        #expect(receivers.messages("stolen").isEmpty)
    }

    // MARK: Syslog

    private func rsyslog(_ folder: TemporaryFolder) async throws -> (process: RunningProcess, udp: UInt16, tcp: UInt16) {
        let (udp, tcp) = (try LoopbackSocket.freePort(), try LoopbackSocket.freePort())
        let configuration = """
            global(workDirectory="\(folder.path)" maxMessageSize="64k")
            module(load="imudp")
            module(load="imtcp")
            template(name="raw" type="string" string="%rawmsg%\\n")
            template(name="read" type="string" string="%pri%|%protocol-version%|%timereported:::date-rfc3339%|%hostname%|%app-name%|%procid%|%msgid%|%structured-data%\\n")
            ruleset(name="kept") {
              action(type="omfile" file="\(folder.path)/raw" template="raw")
              action(type="omfile" file="\(folder.path)/read" template="read")
            }
            input(type="imudp" address="127.0.0.1" port="\(udp)" ruleset="kept")
            input(type="imtcp" address="127.0.0.1" port="\(tcp)" ruleset="kept")

            """
        try Data(configuration.utf8).write(to: URL(filePath: "\(folder.path)/rsyslog.conf"))
        let process = try RunningProcess([
            "/usr/sbin/rsyslogd", "-n", "-f", "\(folder.path)/rsyslog.conf", "-i", "\(folder.path)/pid",
        ])
        return (process, udp, tcp)
    }

    @Test func `rsyslog writes what was sent, by UDP and by TCP, and reads its parts`() async throws {
        let receivers = try await Receivers.shared.value
        let folder = try TemporaryFolder()
        let server = try await rsyslog(folder)
        func destination(_ transport: DestinationSettings.Transport, _ format: DestinationSettings.Format) -> DestinationSettings {
            settings(receivers) {
                $0.kind = .syslog
                $0.address = "127.0.0.1:\(transport == .udp ? server.udp : server.tcp)"
                ($0.transport, $0.format) = (transport, format)
            }
        }
        // It listens by TCP once it runs.
        try await eventually("rsyslog") {
            if server.process.hasEnded { throw NeverCame(what: "rsyslog: \(server.process.errors)") }
            return (try? await send([Sample.grouped], to: destination(.tcp, .rfc5424))) != nil
        }
        _ = try await send([Sample.single, Sample.grouped], to: destination(.tcp, .rfc5424))
        _ = try await send([Sample.single, Sample.grouped], to: destination(.tcp, .cef))
        let ofTCP = [
            ("syslog", Sample.grouped), ("syslog", Sample.single), ("syslog", Sample.grouped), ("cef", Sample.single),
            ("cef", Sample.grouped),
        ].map { expected($0.0, $0.1) }
        try await eventually("the messages by TCP") { try lines("raw", folder).count == ofTCP.count }
        _ = try await send([Sample.single], to: destination(.udp, .rfc5424))
        try await eventually("the message by UDP") { try lines("raw", folder).count == ofTCP.count + 1 }
        _ = try await send([Sample.grouped], to: destination(.udp, .cef))
        let all = ofTCP + [expected("syslog", Sample.single), expected("cef", Sample.grouped)]
        try await eventually("all messages") { try lines("raw", folder).count == all.count }
        #expect(try lines("raw", folder) == all)
        let read = try lines("read", folder)
        let data = try #require(all[1].firstMatch(of: /(\[epitope@32473 .*\]) \u{FEFF}/))
        #expect(
            read[1]
                == "107|1|\(Timestamp.text(Sample.single.event.timeMilliseconds))|center-1.example|epitope|local-center|delivered|\(data.1)"
        )
        #expect(
            read.map { $0.split(separator: "|")[6] } == [
                "unproven", "delivered", "unproven", "delivered", "unproven", "delivered", "unproven",
            ])
        try await server.process.end()
    }

    private func lines(_ name: String, _ folder: TemporaryFolder) throws -> [String] {
        ((try? folder.read(name)) ?? "").split(separator: "\n").map(String.init)
    }

    @Test func `syslog over TLS is counted octets, to a server that is trusted`() async throws {
        let receivers = try await Receivers.shared.value
        var destination = settings(receivers) {
            $0.kind = .syslog
            $0.address = "localhost:\(receivers.port("tls"))"
            ($0.transport, $0.authorityFile) = (.tls, "\(receivers.folder.path)/cert.pem")
        }
        _ = try await send([Sample.single, Sample.grouped], to: destination)
        let messages = ["syslog"].flatMap { name in [Sample.single, Sample.grouped].map { expected(name, $0) } }
        try await eventually("what the server got") { receivers.messages("tls").contains { !$0.body.isEmpty } }
        let got = try #require(receivers.messages("tls").first { !$0.body.isEmpty })
        #expect(got.text == messages.map { "\($0.utf8.count) \($0)" }.joined())
        destination.authorityFile = nil
        let error = await #expect(throws: EpitopeError.self) { try await send([Sample.single], to: destination) }
        #expect(error?.code == .destinationUntrusted, "\(String(describing: error))")
    }

    @Test func `syslog that nobody hears is not taken for told`() async throws {
        let receivers = try await Receivers.shared.value
        let destination = settings(receivers) {
            $0.kind = .syslog
            $0.address = "127.0.0.1:\((try? LoopbackSocket.freePort()) ?? 1)"
            $0.transport = .tcp
        }
        let error = await #expect(throws: EpitopeError.self) { try await send([Sample.single], to: destination) }
        #expect(error?.code == .destinationUnreachable)
    }

    // MARK: Mail

    @Test func `a mail server gets the mail, by STARTTLS and a login`() async throws {
        let receivers = try await Receivers.shared.value
        var destination = settings(receivers) {
            $0.kind = .email
            $0.address = "localhost:\(receivers.port("smtp"))"
            ($0.transport, $0.authorityFile) = (.starttls, "\(receivers.folder.path)/cert.pem")
            ($0.from, $0.to) = ("epitope@example.org", ["soc@example.org", "ops@example.org"])
            ($0.user, $0.passwordFile) = ("epitope", "\(receivers.folder.path)/password")
        }
        for notice in [Sample.single, Sample.grouped] {
            #expect(try await send([notice], to: destination).answer == "250 2.0.0 taken as 4711")
        }
        let got = receivers.messages("mail")
        #expect(got.map(\.text) == [Sample.single, Sample.grouped].map { expected("mail", $0) })
        for message in got {
            #expect(message.fields["sender"] as? String == "epitope@example.org")
            #expect(message.fields["to"] as? [String] == ["soc@example.org", "ops@example.org"])
            #expect(message.fields["tls"] as? Bool == true)
            #expect(message.fields["user"] as? String == "epitope")
        }
        try await refusals(of: &destination, receivers)
    }

    private func refusals(of destination: inout DestinationSettings, _ receivers: Receivers) async throws {
        let count = receivers.messages("mail").count
        let unwanted = Notice(
            id: "evt_3", event: NotifiedEvent(sequence: 1, timeMilliseconds: 0, kind: .revoked, subject: "unwanted", detail: ""))
        #expect(try await send([unwanted], to: destination).refusal?.code == .noticeRefused)
        // A wrong password, and an authority that is not trusted.
        let wrong = "\(receivers.folder.path)/wrong"
        try Receivers.secret("battery staple", in: wrong)
        destination.passwordFile = wrong
        let (refused, trusted) = (destination, destination.authorityFile)
        let login = await #expect(throws: EpitopeError.self) { try await send([Sample.single], to: refused) }
        #expect(login?.code == .destinationRefused, "\(String(describing: login))")
        #expect(login?.description.contains("battery") == false)
        destination.authorityFile = nil
        let untrusted = destination
        let tls = await #expect(throws: EpitopeError.self) { try await send([Sample.single], to: untrusted) }
        #expect(tls?.code == .destinationUntrusted, "\(String(describing: tls)) \(String(describing: trusted))")
        #expect(receivers.messages("mail").count == count + 1)
    }

    // MARK: Files

    @Test(arguments: [DestinationSettings.Format.ecs, .ocsf, .json])
    func `a file gets lines, also once it was moved away or cut short`(_ format: DestinationSettings.Format) async throws {
        let folder = try TemporaryFolder()
        let path = "\(folder.path)/events.json"
        var destination = DestinationSettings()
        (destination.kind, destination.path, destination.format) = (.file, path, format)
        let name = format == .json ? "webhook.json" : "\(format.rawValue).json"
        let transport = try destination.transport(from: Sample.sender)
        _ = try await transport.send([Sample.single, Sample.grouped])
        #expect(try folder.read("events.json") == expected(name, Sample.single) + "\n" + expected(name, Sample.grouped) + "\n")
        var status = stat()
        #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o640)
        // As logrotate moves it.
        try FileManager.default.moveItem(atPath: path, toPath: path + ".1")
        _ = try await transport.send([Sample.single])
        #expect(try folder.read("events.json") == expected(name, Sample.single) + "\n")
        #expect(try folder.read("events.json.1").split(separator: "\n").count == 2)
        // What a crash left of a line.
        try Data("half a li".utf8).write(to: URL(filePath: path))
        _ = try await transport.send([Sample.grouped])
        #expect(try folder.read("events.json") == "half a li\n" + expected(name, Sample.grouped) + "\n")
        try await refused(transport, path)
    }

    private func refused(_ transport: any NoticeTransport, _ path: String) async throws {
        try FileManager.default.removeItem(atPath: path)
        // A link, or a pipe that nobody reads, is not written to.
        symlink("/dev/full", path)
        let error = await #expect(throws: EpitopeError.self) { try await transport.send([Sample.single]) }
        #expect(error?.code == .noticeFileFailed)
        try FileManager.default.removeItem(atPath: path)
        mkfifo(path, 0o600)
        let pipe = await #expect(throws: EpitopeError.self) { try await transport.send([Sample.single]) }
        #expect(pipe?.code == .noticeFileFailed)
    }
}
