// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import Rendering
import Signatures
import TestSupport
import Testing

@testable import EngineAcceptance

private func token(_ pattern: String, _ gap: ClosedRange<Int>? = nil) throws -> Signature.Token {
    try #require(Signature.Token(pattern: pattern, gap: gap))
}

@Suite("Engines accept the renderings") struct EngineAcceptanceTests {
    private func signatures() throws -> [Signature] {
        [
            Signature(tokens: [.init(bytes: Samples.callerWindow)], context: .any),
            Signature(tokens: [try token("0102030405??06??????0708"), try token("1112131415", 0...40)], context: .any),
            Signature(tokens: [try token("21222324??2526"), try token("3132333435")], arrangement: .conjunction, context: .any),
        ]
    }

    @Test func `every installed engine accepts the renderings`() async throws {
        let verdicts = await EngineAcceptance.verdicts(on: try signatures())
        #expect(verdicts.map(\.engine) == ["suricata", "yara", "clamav"])
        for (verdict, engine) in zip(verdicts, Engine.all) {
            let isInstalled = EngineCommand.path(of: engine.program) != nil
            if !isInstalled { print("\(engine.program) is not installed: its check is not checked") }
            #expect(verdict.outcome == (isInstalled ? .passed : .notChecked), "\(verdict.detail)")
        }
    }

    @Test func `an engine that is not installed is not checked`() async throws {
        var engine = Engine.yara
        engine.program = "no-such-engine"
        let verdicts = await EngineAcceptance.verdicts(on: try signatures(), engines: [engine])
        #expect(verdicts == [.init(engine: "yara", outcome: .notChecked, detail: "no-such-engine is not installed")])
    }

    @Test func `a signature that Suricata cannot express fails and one that YARA cannot express is not checked`() async throws {
        let endless = Signature(tokens: [try token("01"), try token("02", 3_000_000...3_000_001)], context: .any)
        let verdicts = await EngineAcceptance.verdicts(on: [endless])
        #expect(verdicts.prefix(2).map(\.outcome) == [.failed, .notChecked])
    }

    @Test func `an engine that rejects the rules is quoted`() async throws {
        var engine = Engine.yara
        engine.arguments = { folder, _ in ["-w", "\(folder)/broken", "/dev/null"] }
        engine.companions = ["broken": "rule x { condition: $a }"]
        try #require(EngineCommand.path(of: "yara") != nil)
        let verdicts = await EngineAcceptance.verdicts(on: try signatures(), engines: [engine])
        #expect(verdicts.map(\.outcome) == [.failed])
        #expect(verdicts[0].detail.contains("undefined string"))
    }
}
