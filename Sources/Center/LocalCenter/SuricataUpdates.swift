// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import Rendering
public import SuricataDelivery

/// The site's Suricata as the IDS of a local center.
extension SuricataDelivery: UpdateDelivery {
    public func deliver(_ updates: [RuleAssignment]) async throws(EpitopeError) -> DeliveryConfirmation {
        let outcome: DeliveryOutcome = try await deliver(updates)
        return DeliveryConfirmation(
            refused: Dictionary(outcome.refused.map { ($0.sid, $0.error) }) { first, _ in first },
            detail:
                "\(outcome.live.count) rules of ours live, \(outcome.rulesLoaded) in all, reloaded in \(outcome.reloadMilliseconds.rounded()) ms"
        )
    }
}
