// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import Rendering
public import SuricataDelivery

/// The site's Suricata as the IDS of a local center.
extension SuricataDelivery: RuleInstalling {
    public func install(_ rules: [RuleAssignment]) async throws(EpitopeError) -> InstallationResult {
        let outcome = try await deliver(rules)
        return InstallationResult(
            refused: Dictionary(outcome.refused.map { ($0.sid, $0.error) }) { first, _ in first },
            detail:
                "\(outcome.live.count) rules of ours live, \(outcome.rulesLoaded) in all, reloaded in \(outcome.reloadMilliseconds.rounded()) ms"
        )
    }

    public func rulesPresent() async -> [PresentRule] {
        await rulesInFile().map { PresentRule(signatureID: $0.metadata.signatureID, sid: $0.sid, text: $0.text) }
    }
}
