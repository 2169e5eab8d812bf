public import CenterStore
public import EpitopeModel
internal import Rendering
public import SuricataDelivery

/// The site's Suricata as the IDS of a local center.
extension SuricataDelivery: UpdateDelivery {
    public func deliver(_ updates: [ActiveUpdate]) async throws(EpitopeError) -> DeliveryConfirmation {
        let outcome = try await deliver(updates.map { NumberedUpdate(sid: $0.sid, update: $0.update) })
        return DeliveryConfirmation(
            refused: Dictionary(outcome.refused.map { ($0.sid, $0.error) }) { first, _ in first },
            detail: "\(outcome.live.count) rules of ours live, \(outcome.rulesLoaded) in all, reloaded in \(outcome.reloadMilliseconds.rounded()) ms")
    }
}
