public import CenterStore
public import EpitopeModel
internal import Rendering
public import SuricataDelivery

/// The site's Suricata as the place that updates are delivered to.
public struct SuricataUpdateDelivery: UpdateDelivery {
    private let suricata: SuricataDelivery

    public init(_ settings: SuricataSettings) {
        suricata = SuricataDelivery(settings)
    }

    /// Has the forms of rules checked ahead, so that no delivery has to.
    public func prepare() async throws(EpitopeError) {
        try await suricata.prepare()
    }

    public func deliver(_ updates: [ActiveUpdate]) async throws(EpitopeError) -> DeliveryConfirmation {
        let outcome = try await suricata.deliver(updates.map { NumberedUpdate(sid: $0.sid, update: $0.update) })
        return DeliveryConfirmation(
            refused: Dictionary(uniqueKeysWithValues: outcome.refused.map { ($0.sid, $0.error) }),
            detail: "\(outcome.live.count) of Epitope's rules live among \(outcome.rulesLoaded); reload "
                + "\(outcome.reloadMilliseconds.rounded()) ms, delivery \(outcome.totalMilliseconds.rounded()) ms")
    }
}
