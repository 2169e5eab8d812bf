// SPDX-License-Identifier: Apache-2.0

import Rendering
import Signatures
import TestSupport
import Testing

@testable import SuricataDelivery

/// Which rules drop.
@Suite struct ActionTests {
    private func action(_ checks: [Proof.Check], of settings: SuricataSettings) -> SuricataRule.Action {
        var assignment = update(3_900_001, [.init(bytes: Samples.callerWindow)])
        assignment.update.proof = Proof(checks: checks)
        return settings.action(for: assignment.update)
    }

    @Test func `a rule drops if its bytes are at the call, or were compared with benign traffic`() {
        let dropping = SuricataSettings(action: .drop)
        #expect(action([Proof.Check(.atTheCall, .passed, "")], of: dropping) == .drop)
        #expect(action([Proof.Check(.atTheCall, .notChecked, ""), Proof.Check(.noBenignFlow, .passed, "")], of: dropping) == .drop)
        #expect(action([Proof.Check(.atTheCall, .notChecked, ""), Proof.Check(.noBenignFlow, .notChecked, "")], of: dropping) == .alert)
        #expect(action([Proof.Check(.noBenignFlow, .failed, "")], of: dropping) == .alert)
        #expect(action([], of: dropping) == .alert)
    }

    @Test func `no rule drops where the site only alerts`() {
        #expect(action([Proof.Check(.atTheCall, .passed, "")], of: SuricataSettings()) == .alert)
    }
}
