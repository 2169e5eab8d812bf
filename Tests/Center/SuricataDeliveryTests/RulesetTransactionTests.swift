// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import Rendering
import Signatures
import TestSupport
import Testing

@testable import SuricataDelivery

/// The stages of a delivery, against a command socket that answers from a script.
struct RulesetTransactionTests {
    private let folder: TemporaryFolder
    private var rulesFile: String { folder.path + "/epitope.rules" }

    init() throws {
        folder = try TemporaryFolder()
    }

    private func line(_ sid: UInt32, revision: Int) throws -> RuleLine {
        let rule = try SuricataRule(RuleInput(update(sid, [.init(bytes: Samples.callerWindow)], revision: revision)))
        return RuleLine(sid: sid, text: rule.text)
    }

    /// The rules of a signature about a service of both protocols.
    private func lines(_ sid: UInt32, revision: Int) throws -> [RuleLine] {
        var both = update(sid, [.init(bytes: Samples.callerWindow)], revision: revision)
        both.update.signature.context = SignatureContext(uniting: [
            SignatureContext(transport: .tcp, ports: [53], direction: .toService),
            SignatureContext(transport: .udp, ports: [53], direction: .toService),
        ])
        return try SuricataRule.rules(RuleInput(both)).map { RuleLine(sid: sid, text: $0.text) }
    }

    @Test func `a signature's rules stand or fall together`() throws {
        let (old, new) = (try lines(3_900_001, revision: 1), try lines(3_900_001, revision: 2))
        let other = try line(3_900_002, revision: 1)
        #expect(new.count == 2)
        // The second of the new rules is refused: both of the old ones come back.
        let outcome = try run(
            new + [other], good: old,
            answers: baseline(2) + stage(failing: [new[1]]) + stage(failing: []) + confirmed(3))
        #expect(outcome.live == [3_900_001, 3_900_002])
        #expect(outcome.refused.map(\.sid) == [3_900_001])
        let text = try #require(RulesFile(path: rulesFile).read())
        #expect(RulesFileText.rules(in: text).map(\.text) == old.map(\.text) + [other.text])
        // Those that were good are refused as well: none of them stays.
        let none = try run(
            old + [other], good: old, answers: baseline(2) + stage(failing: [old[0]]) + stage(failing: []) + confirmed(1))
        #expect(none.live == [3_900_002])
    }

    private func json(_ message: some Encodable) throws -> String {
        "{\"message\":\(String(decoding: try JSONEncoder().encode(message), as: UTF8.self)),\"return\":\"OK\"}"
    }

    private func failed(_ lines: [RuleLine]) throws -> String {
        try json(lines.map { ["rule": $0.text, "filename": rulesFile] })
    }

    private func statistics(_ loaded: Int) throws -> String { try json([["id": 0, "rules_loaded": loaded, "rules_failed": 0]]) }

    /// The answers in one stage up to the rules that the load left out.
    private func stage(failing lines: [RuleLine]) throws -> [String] {
        let noMore = #"{"message":"Unable to get value","return":"NOK"}"#
        return [try json("done"), try json(folder.path), try json(rulesFile), noMore, try failed(lines)]
    }

    /// The answers after a stage in which Suricata loaded all of Epitope's rules.
    private func confirmed(_ loaded: Int) throws -> [String] {
        [try statistics(loaded), try json([["last_reload": "after"]])]
    }

    private func run(_ wanted: [RuleLine], good: [RuleLine], answers: [String]) throws(EpitopeError) -> DeliveryOutcome {
        let fake = FakeSuricata(answers)
        // The program accepts every rule when it is asked about the rule alone.
        let settings = SuricataSettings(
            socketPath: fake.path, rulesFile: rulesFile, binaryPath: "/bin/true", commandTimeout: 5, reloadTimeout: 5)
        try RulesFile(path: rulesFile).write(RulesFileText.render(lines: good.map(\.text)))
        var transaction = RulesetTransaction(settings: settings, isFileProven: true)
        return try transaction.run(wanted, refused: [])
    }

    private func baseline(_ loaded: Int) throws -> [String] {
        [#"{"return":"OK"}"#, try failed([]), try statistics(loaded), try json([["last_reload": "before"]])]
    }

    @Test func `A refused revision is replaced by the last good one`() throws {
        let (old, new) = (try line(3_900_001, revision: 1), try line(3_900_001, revision: 2))
        let answers = try [baseline(1), stage(failing: [new]), stage(failing: []), confirmed(1)].flatMap(\.self)
        let outcome = try run([new], good: [old], answers: answers)
        #expect(outcome.live == [3_900_001] && outcome.refused.map(\.sid) == [3_900_001])
        #expect(RulesFileText.rules(in: RulesFile(path: rulesFile).read() ?? "").map(\.revision) == [1])
    }

    @Test func `A last good revision that is refused too is left out`() throws {
        let (old, new) = (try line(3_900_001, revision: 1), try line(3_900_001, revision: 2))
        let other = try line(3_900_002, revision: 1)
        let answers = try [
            baseline(1), stage(failing: [new]), stage(failing: [old]), stage(failing: []), confirmed(1),
        ].flatMap(\.self)
        let outcome = try run([new, other], good: [old], answers: answers)
        #expect(outcome.live == [3_900_002] && outcome.refused.map(\.sid) == [3_900_001, 3_900_001])
        #expect(RulesFileText.rules(in: RulesFile(path: rulesFile).read() ?? "").map(\.sid) == [3_900_002])
    }

    @Test func `The file is put back when Suricata refuses rules in every stage`() throws {
        let old = [try line(3_900_001, revision: 1), try line(3_900_002, revision: 1)]
        let new = [try line(3_900_001, revision: 2), try line(3_900_002, revision: 2)]
        let answers = try [
            baseline(2), stage(failing: [new[0]]), stage(failing: [new[1]]), stage(failing: [old[0]]), [json("done")],
        ].flatMap(\.self)
        let error = #expect(throws: EpitopeError.self) { try run(new, good: old, answers: answers) }
        #expect(error?.code == .suricataRefused)
        #expect(error?.message.contains("has the last good rules again") == true)
        #expect(RulesFileText.rules(in: RulesFile(path: rulesFile).read() ?? "").map(\.revision) == [1, 1])
    }
}
