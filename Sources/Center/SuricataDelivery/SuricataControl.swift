// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FoundationEssentials
import Glibc

/// The refusals that Suricata's command socket marks by their text alone, as Suricata 7.0.10 words them
/// (`UnixManagerReloadRulesWrapper` in src/unix-manager.c). Only a part of each text is compared.
enum SuricataRefusalText {
    /// 7.0.10: "Reload already in progress".
    static let reloadInProgress = "already in progress"
    /// 7.0.10: "Live rule reload not possible if -s or -S option used at runtime."
    static let rulesOnCommandLine = "-s or -S option"
}

/// Commands to a running Suricata over its command socket. It blocks its thread; only ``SuricataDelivery`` calls it.
struct SuricataControl {
    private let socket: CommandSocket
    private let settings: SuricataSettings

    /// Connects and agrees on version 0.2 of the protocol: JSON, one line each way.
    init(_ settings: SuricataSettings) throws(EpitopeError) {
        self.settings = settings
        socket = try CommandSocket(path: settings.socketPath, within: settings.commandTimeout)
        let _: String? = try ask(#"{"version": "0.2"}"#, "handshake", within: settings.commandTimeout)
    }

    /// Such as `7.0.10 RELEASE`.
    func version() throws(EpitopeError) -> String {
        try need(command("version"), "version")
    }

    /// Since Suricata started, in seconds.
    func uptime() throws(EpitopeError) -> Int {
        try need(command("uptime"), "uptime")
    }

    func statistics() throws(EpitopeError) -> RulesetStatistics {
        let tenants: [RulesetStatistics] = try need(command("ruleset-stats"), "ruleset-stats")
        return try need(tenants.first, "ruleset-stats")
    }

    func failedRules() throws(EpitopeError) -> [FailedRule] {
        try need(command("ruleset-failed-rules"), "ruleset-failed-rules")
    }

    func reloadTime() throws(EpitopeError) -> String {
        let tenants: [ReloadTime] = try need(command("ruleset-reload-time"), "ruleset-reload-time")
        return try need(tenants.first, "ruleset-reload-time").last
    }

    /// A value of the running Suricata's configuration; `nil` when it has none (7.0.10 refuses: "Unable to get value").
    func configuration(_ variable: String) throws(EpitopeError) -> String? {
        do {
            return try ask(
                #"{"command": "conf-get", "arguments": {"variable": "\#(variable)"}}"#, "conf-get",
                within: settings.commandTimeout)
        } catch  where error.code == .suricataRefused {
            return nil
        }
    }

    /// Reloads all rules and waits for the end of it. A reload that another program began is waited for first: it may have
    /// read our file before it was written.
    func reload() throws(EpitopeError) {
        let deadline = ContinuousClock.now + .seconds(settings.reloadTimeout)
        while true {
            do {
                let _: String? = try ask(
                    #"{"command": "ruleset-reload-rules"}"#, "ruleset-reload-rules", within: settings.reloadTimeout)
                return
            } catch  where error.code == .suricataRefused && error.message.contains(SuricataRefusalText.reloadInProgress) {
                guard ContinuousClock.now < deadline else {
                    throw EpitopeError(
                        .suricataTimeout, "another reload of Suricata's rules did not end in time",
                        remedy: "find the program that reloads them, or give the center a longer reload timeout")
                }
                usleep(5000)
            } catch  where error.code == .suricataRefused && error.message.contains(SuricataRefusalText.rulesOnCommandLine) {
                throw EpitopeError(
                    .suricataReloadRefused, "Suricata can't reload its rules: it was started with -s or -S",
                    remedy: "start it without -s and -S, and name the rules under rule-files in suricata.yaml")
            }
        }
    }

    private func command<Message: Decodable & Sendable>(_ name: String) throws(EpitopeError) -> Message? {
        try ask(#"{"command": "\#(name)"}"#, name, within: settings.commandTimeout)
    }

    private func ask<Message: Decodable & Sendable>(
        _ line: String, _ name: String, within seconds: Double
    ) throws(EpitopeError) -> Message? {
        let answer = Data(try socket.exchange(line, within: seconds))
        guard let reply = try? JSONDecoder().decode(SuricataReply<Message>.self, from: answer) else {
            throw unreadable(name)
        }
        guard reply.status == "OK" else {
            let reason = (try? JSONDecoder().decode(SuricataRefusal.self, from: answer))?.message
            throw EpitopeError(
                .suricataRefused, "Suricata refused \(name): \(reason ?? "it gave no reason")",
                remedy: "see Suricata's log for more; Suricata 7 or later is needed")
        }
        return reply.message
    }

    private func need<Value>(_ value: Value?, _ name: String) throws(EpitopeError) -> Value {
        guard let value else { throw unreadable(name) }
        return value
    }

    private func unreadable(_ name: String) -> EpitopeError {
        EpitopeError(
            .suricataRefused, "Suricata's answer to \(name) on \(settings.socketPath) cannot be read",
            remedy: "check that the socket is that of Suricata 7 or later")
    }
}
