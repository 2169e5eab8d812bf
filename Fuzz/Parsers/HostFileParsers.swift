// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Foundation
import HostPipeline
import HostPolicy

extension FuzzParser {
    /// Policy files, also as `epitope policy exclude` adds to them.
    static let policy = FuzzParser(
        name: "policy", what: "policy files, with an exclusion added to their text",
        dictionary: JSONWords.all
            + [
                "\"exclusions\":[", "\"exclusions\"", "\"action\":", "\"executable\":\"/", "\"container\":\"", "\"evidence\":\"",
                "\"until\":\"",
                "\"2027-02-29\"", "\"reason\":\"", "\"sha256\":\"", "\"uninspectable\"", "// ", "]}", "}]", "\\\"", "[", "]", "{", "}", ",",
            ].map { Array($0.utf8) },
        seeds: { _ in policySeeds },
        run: { input, _ in
            let document = try PolicyFile.decode(input, path: "fuzzed")
            // What was read is added to as the command does it: all else stays, and the new entry is there.
            guard let text = PolicyText.adding([added], to: String(decoding: input, as: UTF8.self)) else { throw Refusal("not-added-to") }
            guard let again = try? PolicyFile.decode(Array(text.utf8), path: "fuzzed") else {
                // The command decodes what it would write, and refuses then.
                throw Refusal("addition-unreadable")
            }
            if again.exclusions.count == document.exclusions.count + 1, again.exclusions.last != added {
                broken("another exclusion was added than the one that was asked for")
            }
            if again.action != document.action || again.blockAt != document.blockAt || again.uninspectable != document.uninspectable {
                broken("an addition changes what the policy does")
            }
        })

    /// Event logs, in which names and paths are the inspected processes'.
    static let eventLog = FuzzParser(
        name: "event-log", what: "event logs: told in words, their detections excluded",
        dictionary: JSONWords.all
            + [
                "\n", "{\"event\":\"", "packet-made", "over-quota", "\"time\":\"", "2026-11-29T14:38:52.123000Z",
                "9999-12-31T23:59:59.999999Z",
                "\"evidence\":[\"", "\"packet\":\"", "\"action\":\"", "\"call\":\"", "\"count\":", "\u{1b}[2J", "\u{202e}", "\\u001b",
            ].map { Array($0.utf8) },
        seeds: { _ in try eventSeeds() },
        run: { input, scratch in
            _ = try scratch.write(input, to: EventLog.fileName)
            let history = EventHistory(directory: scratch.path)
            guard !history.events.isEmpty else { throw Refusal("no-event") }
            var narrator = DetectionNarrator(.init(centers: [:], destinations: ["local"], options: [], directory: scratch.path))
            for event in history.events {
                var told = [event.inWords]
                told += narrator.paragraphs(after: event).map(\.text)
                // Names are the inspected process's to choose: none may act on a terminal.
                if told.contains(where: { $0.printable != $0 }) { broken("a name acts on the terminal") }
                guard let line = try? EventLog.line(event) else { broken("an event that was read can't be written") }
                if line.dropLast().contains("\n") { broken("an event takes more than a line") }
            }
            if let event = try? history.detection("last"),
                let exclusions = try? ExclusionProposal.exclusions(
                    for: event, by: .path, reportAt: 40, reason: "fuzzed", until: CalendarDay(ofMilliseconds: 1_800_000_000_000))
            {
                _ = history.hidden(by: exclusions, reportAt: 40)
                guard let text = PolicyText.adding(exclusions, to: nil) else { broken("nothing can be added to an empty policy") }
                _ = try PolicyFile.decode(Array(text.utf8), path: "fuzzed")
            }
            _ = history.refusals
        })

    private static let added = Exclusion(
        subject: .package("fuzzed"), evidence: .libraryCall, reason: "a \"quoted\" \\ reason",
        until: CalendarDay(ofMilliseconds: 1_800_000_000_000))

    private static let policySeeds: [[UInt8]] = [
        "{}", #"{"action": "watch", "blockAt": 80, "reportAt": 40, "uninspectable": "allow", "otherProcesses": "deny"}"#,
        """
        {
          "builtInExclusions": false,
          "exclusions": [
            { "executable": "/opt/app/server", "sha256": "\(String(repeating: "8f", count: 32))",
              "evidence": "library-call-from-unbacked-memory", "reason": "its plug-ins, \\"compiled\\"", "until": "2027-06-30" },
            { "package": "luajit", "evidence": "uninspectable", "reason": "r", "until": "2027-06-30" },
            { "container": "0123456789ab", "evidence": "call-from-memory-file", "reason": "r", "until": "2027-06-30" },
            { "user": "app", "evidence": "packed-program", "reason": "r", "until": "2027-06-30" }
          ]
        }
        """,
        #"{"exclusions": [{"unit": "a.service", "evidence": "unchecked-return-address", "reason": "r", "until": "2027-06-30"},], "action": "kill",}"#,
    ].map { Array($0.utf8) }

    private static func eventSeeds() throws -> [[UInt8]] {
        let time = EventTime(milliseconds: 1_780_000_000_123)
        var made = HostEvent(.packetMade, time: time, packet: "00112233445566778899aabbccddeeff")
        made.action = "blocked"
        made.call = "connect"
        made.target = "203.0.113.9:4444"
        made.processID = 732
        made.processName = "server"
        made.executable = "/usr/sbin/server"
        made.sha256 = String(repeating: "9f", count: 32)
        made.package = "server"
        made.userID = 33
        made.user = "www-data"
        made.evidence = [EvidenceKind.directCall.rawValue, EvidenceKind.sendsItself.rawValue]
        made.detail = "0x7f057c9da03f in anonymous memory (rwxp) made the call"
        var blocked = made
        blocked.event = .blocked
        blocked.packet = nil
        var quota = HostEvent(.overQuota, time: time, packet: made.packet)
        quota.untilTime = EventTime(milliseconds: 1_780_086_400_000)
        var stopped = HostEvent(.stopped, time: time)
        stopped.destination = "local"
        stopped.code = "certificate-expired"
        stopped.message = "the certificate of host h1 is out of date"
        let events = [blocked, made, quota, stopped] + HostEvent.Name.allCases.map { HostEvent($0, time: time, packet: made.packet) }
        let lines = try events.map { Array(try EventLog.line($0).utf8) }
        return [lines.flatMap { $0 + ($0.last == 0x0a ? [] : [0x0a]) }] + lines.prefix(4)
    }
}
