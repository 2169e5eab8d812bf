// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import Rendering
import Signatures
import TestSupport
import Testing

@testable import SuricataDelivery

private let window = [Signature.Token(bytes: Samples.callerWindow)]
private func other(_ seed: UInt8) -> [Signature.Token] { [.init(bytes: (0..<20).map { seed &+ UInt8($0) })] }

@Suite(.serialized) struct LiveRuleTests {
    @Test func `Updates are live once Suricata confirms them`() async throws {
        let suricata = try RunningSuricata()
        try suricata.start()
        let delivery = SuricataDelivery(suricata.settings)
        let testing = try await delivery.prepare()
        let first = try await delivery.deliver([update(3_900_001, window)])
        #expect(first.live == [3_900_001] && first.refused.isEmpty && first.rulesLoaded == 2)
        let second = try await delivery.deliver([update(3_900_001, window, revision: 2), update(3_900_002, other(1))])
        #expect(second.live == [3_900_001, 3_900_002] && second.rulesLoaded == 3)
        #expect(try SuricataControl(suricata.settings).statistics().loaded == 3)
        #expect(try SuricataControl(suricata.settings).uptime() >= 0)
        // A third, in which as many rules come as go, is known from the ones before.
        let third = try await delivery.deliver([update(3_900_001, window, revision: 3), update(3_900_003, other(7))])
        #expect(third.live == [3_900_001, 3_900_003] && third.rulesLoaded == 3)
        let last = try await delivery.deliver([])
        #expect(last.live == [] && last.rulesLoaded == 1)
        print(
            "suricata -T of the common shapes \(testing) ms; delivery \(third.totalMilliseconds) ms, reload \(third.reloadMilliseconds) ms of it"
        )
    }

    /// Most rules alert first, whatever the site's do.
    @Test func `No delivery waits for a test, neither of rules that drop nor of rules that alert`() async throws {
        let suricata = try RunningSuricata()
        try suricata.start()
        var settings = suricata.settings
        settings.action = .drop
        let (script, runs) = ("\(suricata.folder)/counted", "\(suricata.folder)/runs")
        let text = "#!/bin/sh\necho \"$@\" >>\(runs)\nexec \(settings.binaryPath) \"$@\"\n"
        try text.write(toFile: script, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: script)
        settings.binaryPath = script
        let delivery = SuricataDelivery(settings)
        try await delivery.prepare()
        let prepared = try String(contentsOfFile: runs, encoding: .utf8)
        #expect(prepared.split(separator: "\n").count == 1)
        let alerting = update(3_900_001, window)
        var dropping = update(3_900_002, other(1))
        dropping.update.proof = Proof(checks: [Proof.Check(.atTheCall, .passed, "")])
        let outcome = try await delivery.deliver([alerting, dropping])
        #expect(outcome.live == [3_900_001, 3_900_002])
        let file = RulesFile(path: settings.rulesFile).read() ?? ""
        #expect(file.contains("\nalert udp") && file.contains("\ndrop udp"), "\(file)")
        #expect(try String(contentsOfFile: runs, encoding: .utf8) == prepared)
    }

    @Test func `A rule with the sid of another file's rule is left out, and the rest goes live`() async throws {
        let suricata = try RunningSuricata()
        try "alert icmp any any -> any any (msg:\"other\"; itype:200; sid:3900002; rev:1;)\n".write(
            toFile: suricata.otherRules, atomically: true, encoding: .utf8)
        try suricata.start()
        let outcome = try await SuricataDelivery(suricata.settings).deliver([update(3_900_001, window), update(3_900_002, other(1))])
        #expect(outcome.live == [3_900_001])
        #expect(outcome.refused.map(\.sid) == [3_900_002])
        #expect(outcome.refused.first?.error.code == .suricataRefused)
        #expect(outcome.refused.first?.error.message.contains("other.rules has the same sid") == true)
        #expect(try SuricataControl(suricata.settings).statistics().failed == 0)
    }

    @Test func `The last good revision stays when a new one is refused`() async throws {
        let suricata = try RunningSuricata()
        try suricata.start()
        let delivery = SuricataDelivery(suricata.settings)
        _ = try await delivery.deliver([update(3_900_001, window)])
        let good = RulesFile(path: suricata.settings.rulesFile).read()
        let outcome = try await delivery.deliver(lines: [
            RuleLine(sid: 3_900_001, text: "alert udp any any -> any any (msg:\"broken\"; cont:\"|AA|\"; sid:3900001; rev:2;)")
        ])
        #expect(outcome.live == [3_900_001] && outcome.rulesLoaded == 2)
        #expect(outcome.refused.first?.error.message.contains("unknown rule keyword 'cont'") == true)
        #expect(RulesFile(path: suricata.settings.rulesFile).read() == good)
    }

    @Test func `A rules file that Suricata does not load is reported`() async throws {
        let suricata = try RunningSuricata(listed: false)
        try suricata.start()
        let error = await #expect(throws: EpitopeError.self) {
            try await SuricataDelivery(suricata.settings).deliver([update(3_900_001, window)])
        }
        #expect(error?.code == .suricataRulesFileNotLoaded)
        #expect(error?.remedy.contains("  - \(suricata.settings.rulesFile)") == true)
    }

    @Test func `A Suricata that does not load the file is left alone until somebody changes that`() async throws {
        let suricata = try RunningSuricata(listed: false)
        try suricata.start()
        let delivery = SuricataDelivery(suricata.settings)
        func code(_ rules: [RuleAssignment]) async -> EpitopeError.Code? {
            await #expect(throws: EpitopeError.self) { try await delivery.deliver(rules) }?.code
        }
        #expect(await code([update(3_900_001, window)]) == .suricataRulesFileNotLoaded)
        let reloaded = try SuricataControl(suricata.settings).reloadTime()
        #expect(await code([update(3_900_001, window), update(3_900_002, window)]) == .suricataRulesFileNotLoaded)
        #expect(try SuricataControl(suricata.settings).reloadTime() == reloaded, "each reload builds its whole engine anew")
        #expect(RulesFile(path: suricata.settings.rulesFile).read()?.contains("sid:3900002;") == true, "it finds them when it starts")
        try suricata.configure(listed: "epitope.rules")
        try SuricataControl(suricata.settings).reload()
        let outcome = try await delivery.deliver([update(3_900_001, window)])
        #expect(outcome.live == [3_900_001] && outcome.rulesLoaded == 2)
    }

    @Test func `Rules come and go in a file that Suricata knows by another path`() async throws {
        let suricata = try RunningSuricata(linked: true)
        try suricata.start()
        let delivery = SuricataDelivery(suricata.settings)
        for _ in 0..<2 {
            #expect(try await delivery.deliver([update(3_900_001, window)]).rulesLoaded == 2)
            #expect(try await delivery.deliver([]).rulesLoaded == 1)
        }
        // After a start nothing is known of the file.
        #expect(try await SuricataDelivery(suricata.settings).deliver([]).rulesLoaded == 1)
        let unlisted = try RunningSuricata(listed: false)
        try unlisted.start()
        let error = await #expect(throws: EpitopeError.self) { try await SuricataDelivery(unlisted.settings).deliver([]) }
        #expect(error?.code == .suricataRulesFileNotLoaded)
    }

    @Test func `A Suricata started with its rules on the command line refuses reloads`() async throws {
        let suricata = try RunningSuricata()
        try suricata.start(["-S", suricata.otherRules])
        let error = await #expect(throws: EpitopeError.self) {
            try await SuricataDelivery(suricata.settings).deliver([update(3_900_001, window)])
        }
        #expect(error?.code == .suricataReloadRefused)
    }

    @Test func `A stopped Suricata loads the rules when it starts`() async throws {
        let suricata = try RunningSuricata()
        try suricata.start()
        suricata.stop()
        let delivery = SuricataDelivery(suricata.settings)
        let error = await #expect(throws: EpitopeError.self) { try await delivery.deliver([update(3_900_001, window)]) }
        #expect(error?.code == .suricataStopped || error?.code == .suricataAbsent)
        try suricata.start()
        let outcome = try await delivery.deliver([update(3_900_001, window)])
        #expect(outcome.live == [3_900_001] && outcome.rulesLoaded == 2)
    }

    @Test func `A signature about several kinds of traffic goes live as several rules`() async throws {
        let suricata = try RunningSuricata()
        try suricata.start()
        var both = update(3_900_001, [.init(bytes: Samples.callerWindow)])
        both.update.signature.context = SignatureContext(uniting: [
            SignatureContext(transport: .udp, ports: [1434], direction: .toService),
            SignatureContext(transport: .udp, ports: [1435], direction: .fromPeer),
            SignatureContext(transport: .tcp, ports: [1434], direction: .toService),
        ])
        let outcome = try await SuricataDelivery(suricata.settings).deliver([both])
        // The other one is the rule of a file beside ours.
        #expect(outcome.live == [3_900_001] && outcome.rulesLoaded == 4 && outcome.refused.isEmpty)
        for (port, count) in [(UInt16(1434), 1), (1435, 0)] {
            try? FileManager.default.removeItem(atPath: "\(suricata.folder)/eve.json")
            let alerts = try suricata.alerts(in: CaptureFile.udp([Samples.code.bytes], destinationPort: port))
            #expect(alerts.count { $0.contains("3900001") } == count)
        }
    }

    @Test func `A rule fires on the sample and not on a near miss`() async throws {
        let suricata = try RunningSuricata()
        let gapped = [
            Signature.Token(bytes: Array(Samples.callerWindow[..<10])), .init(bytes: Array(Samples.callerWindow[14..<24]), gap: 4...6),
        ]
        let rules = [
            try SuricataRule(RuleInput(update(3_900_001, window), message: "a\";b:\\c")),
            try SuricataRule(RuleInput(update(3_900_002, gapped))),
        ]
        try RulesFile(path: suricata.settings.rulesFile).write(RulesFileText.render(rules))
        var nearMiss = Samples.code.bytes
        nearMiss[40] ^= 1
        let head = Array(Samples.callerWindow[..<10])
        let tail = Array(Samples.callerWindow[14..<24])
        func gap(_ count: Int) -> [UInt8] { [1] + head + [UInt8](repeating: 0, count: count) + tail + [1] }
        func sids(_ payload: [UInt8], _ port: UInt16 = 1434) throws -> [String] {
            try? FileManager.default.removeItem(atPath: "\(suricata.folder)/eve.json")
            return try suricata.alerts(in: CaptureFile.udp([payload], destinationPort: port)).compactMap { line in
                #expect(!line.contains("3900001") || line.contains(#""signature":"a\";b:\\c""#))
                return line.contains("3900001") ? "whole" : line.contains("3900002") ? "gapped" : nil
            }.sorted()
        }
        #expect(try sids(Samples.code.bytes) == ["gapped", "whole"])
        #expect(try sids(nearMiss).contains("whole") == false)
        #expect(try sids(Samples.code.bytes, 1435) == [])
        // The bounds of a gap are exact.
        #expect(try (3...7).map { try sids(gap($0)) } == [[], ["gapped"], ["gapped"], ["gapped"], []])
    }
}
