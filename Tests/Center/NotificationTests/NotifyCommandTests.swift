// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import TestSupport
import Testing

/// `epitope local-center notify` as a person runs it, and that no secret is shown.
@Suite(.serialized) struct NotifyCommandTests {
    private func epitope(_ arguments: String...) async throws -> Command {
        try await Command.run(Command.built("epitope"), arguments, seconds: 60)
    }

    private func settings(_ receivers: Receivers, in folder: TemporaryFolder) throws -> String {
        try Receivers.secret("\(receivers.url("slack/an-address-that-is-secret"))\n", in: "\(folder.path)/slack.url")
        let text = """
            requireGoodware: false
            notifications:
              destinations:
                soc: {kind: webhook, url: "\(receivers.url("webhook/hidden-part"))", secretFile: \(receivers.folder.path)/secret}
                chat: {kind: slack, urlFile: \(folder.path)/slack.url}
                broken: {kind: webhook, url: "\(receivers.url("status/500"))", secretFile: \(receivers.folder.path)/secret}
                open: {kind: webhook, url: "\(receivers.url("webhook/hidden-part"))", secretFile: \(folder.path)/open}
              rules:
                all: {to: [soc, chat, broken, open]}
            """
        let path = "\(folder.path)/settings.yaml"
        try Data(text.utf8).write(to: URL(filePath: path))
        try Receivers.secret("whsec_" + Data(repeating: 7, count: 32).base64EncodedString(), in: "\(folder.path)/open")
        chmod("\(folder.path)/open", 0o644)
        return path
    }

    @Test func `a test message says what came back`() async throws {
        let (receivers, folder) = (try await Receivers.shared.value, try TemporaryFolder())
        let path = try settings(receivers, in: folder)
        let sent = try await epitope("local-center", "notify", "test", "soc", "--config", path)
        #expect(sent.status == 0 && sent.output == "soc: 200: {}\n", "\(sent)")
        let chat = try await epitope("local-center", "notify", "test", "chat", "--config", path)
        #expect(chat.status == 0 && chat.output == "chat: 200: ok\n", "\(chat)")
        #expect(receivers.messages("webhook/hidden-part").map { $0.fields["verdict"] as? String } == ["epitope.test"])
        #expect(receivers.messages("slack/an-address-that-is-secret").count == 1)
        for (name, code) in [("broken", "destination-refused"), ("open", "secret-unusable"), ("nobody", "destination-unknown")] {
            let failed = try await epitope("local-center", "notify", "test", name, "--config", path)
            #expect(failed.status == 1 && failed.errors.contains("[\(code)]"), "\(failed)")
            #expect(!failed.errors.contains("hidden-part") && !failed.errors.contains("status/500"))
        }
    }

    @Test func `check and list name destinations, and show no secret`() async throws {
        let (receivers, folder) = (try await Receivers.shared.value, try TemporaryFolder())
        let path = try settings(receivers, in: folder)
        let state = "\(folder.path)/state"
        let made = try await epitope("local-center", "init", "--state", state, "--name", "site", "--address", "127.0.0.1")
        try #require(made.status == 0, "\(made.errors)")
        let check = try await epitope("local-center", "check", "--state", state, "--config", path, "--listen", "127.0.0.1:0")
        #expect(check.status == 1)
        #expect(
            check.output.contains("the destination 'open' of notices: the file \(folder.path)/open of a secret can be read"),
            "\(check.output)")
        #expect(check.output.contains("notifications.destinations.soc.kind"))
        let list = try await epitope("local-center", "notify", "list", "--state", state, "--config", path)
        #expect(list.status == 0, "\(list)")
        #expect(
            list.output.split(separator: "\n").map { String($0.prefix { $0 != " " }) } == ["destination", "broken", "chat", "open", "soc"])
        let json = try await epitope("local-center", "notify", "list", "--state", state, "--config", path, "--json")
        #expect(json.output.contains("\"waiting\""))
        for text in [check.output, check.errors, list.output, json.output] {
            #expect(!text.contains("hidden-part") && !text.contains("an-address-that-is-secret") && !text.contains("whsec_"))
        }
    }

    @Test func `a center tells while it serves, and shows in metrics and status what failed`() async throws {
        let (receivers, folder) = (try await Receivers.shared.value, try TemporaryFolder())
        let (path, state) = (try settings(receivers, in: folder), "\(folder.path)/state")
        let made = try await epitope("local-center", "init", "--state", state, "--name", "site", "--address", "127.0.0.1")
        try #require(made.status == 0, "\(made.errors)")
        let socket = "\(folder.path)/metrics"
        let center = try RunningProcess([
            Command.built("epitope"), "local-center", "serve", "--state", state, "--config", path, "--listen", "127.0.0.1:0", "--metrics",
            socket,
        ])
        try await center.line(with: "listening on")
        let before = receivers.messages("webhook/hidden-part").count
        // By a command of a person's beside it. The first look may be after it: then the next one is told.
        try await eventually("a notice", seconds: 30) {
            _ = try await epitope("local-center", "token", "--state", state, "--host", "web-1")
            return receivers.messages("webhook/hidden-part").count > before
        }
        let got = try #require(receivers.messages("webhook/hidden-part").last)
        #expect(got.fields["verdict"] as? String == "epitope.token-made")
        try await eventually("a failure in the list") {
            let list = try await epitope("local-center", "notify", "list", "--state", state, "--config", path, "--json")
            return list.output.contains("destination-refused") && list.output.contains("secret-unusable")
        }
        let metrics = try await Command.run("/usr/bin/curl", ["-s", "--unix-socket", socket, "http://localhost/metrics"])
        #expect(metrics.output.contains(#"epitope_center_notices_total{destination="soc",outcome="told"}"#), "\(metrics.output)")
        #expect(metrics.output.contains(#"epitope_center_notices_waiting{destination="broken"}"#))
        let status = try await center.end()
        #expect(status == 0)
        #expect(!(center.output + center.errors).contains("hidden-part") && !(center.output + center.errors).contains("an-address"))
        #expect(center.errors.contains("destination-refused") || center.output.contains("destination-refused"))
    }
}
