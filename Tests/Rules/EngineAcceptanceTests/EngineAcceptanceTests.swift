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

@Suite struct TheEnginesCheck {
    private func signatures() throws -> [Signature] {
        [
            Signature(tokens: [.init(bytes: Samples.callerWindow)], context: .any),
            Signature(tokens: [try token("0102030405??06??????0708"), try token("1112131415", 0...40)], context: .any),
            Signature(tokens: [try token("21222324??2526"), try token("3132333435")], arrangement: .conjunction, context: .any),
        ]
    }

    @Test func `every engine takes the renderings`() async throws {
        let checks = await EngineAcceptance.checks(of: try signatures())
        #expect(checks.map(\.name) == ["engine-suricata", "engine-yara", "engine-clamav"])
        for (check, engine) in zip(checks, Engine.all) {
            let isInstalled = EngineCommand.path(of: engine.program) != nil
            if !isInstalled { print("\(engine.program) is not installed: its check is not checked") }
            #expect(check.outcome == (isInstalled ? .passed : .notChecked), "\(check.detail)")
        }
    }

    @Test func `an engine that is not there is not checked`() async throws {
        var engine = Engine.yara
        engine.program = "no-such-engine"
        let checks = await EngineAcceptance.checks(of: try signatures(), engines: [engine])
        #expect(checks == [.init(name: "engine-yara", outcome: .notChecked, detail: "no-such-engine is not installed")])
    }

    @Test func `what Suricata cannot be told fails and what others cannot is not checked`() async throws {
        let endless = Signature(tokens: [try token("01"), try token("02", 3_000_000...3_000_001)], context: .any)
        let checks = await EngineAcceptance.checks(of: [endless])
        #expect(checks.prefix(2).map(\.outcome) == [.failed, .notChecked])
    }

    @Test func `a refusal is shown in the engines words`() async throws {
        var engine = Engine.yara
        engine.arguments = { folder, _ in ["-w", "\(folder)/broken", "/dev/null"] }
        engine.companions = ["broken": "rule x { condition: $a }"]
        try #require(EngineCommand.path(of: "yara") != nil)
        let checks = await EngineAcceptance.checks(of: try signatures(), engines: [engine])
        #expect(checks.map(\.outcome) == [.failed])
        #expect(checks[0].detail.contains("undefined string"))
    }
}
