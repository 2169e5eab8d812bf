// SPDX-License-Identifier: Apache-2.0

public import CenterServer
public import CenterStore
public import EpitopeModel
public import Logging
public import ServiceLifecycle
public import SignatureProving

/// A site's local analysis center behind its HTTPS face: stores what hosts send, and takes every packet through the
/// chain in the background: signature, cluster, evidence, threshold, update, delivery to the IDS, forwarding.
///
/// Run it in a `ServiceGroup` beside the `CenterServer`. A restart at any point carries on: every step takes its work
/// from the store and commits its result there.
public final class LocalCenterService: CenterRequestHandling, Service {
    public let configuration: LocalCenterConfiguration
    public let store: CenterStore
    private let lanes: LocalCenterWorkers

    /// - Parameters:
    ///   - provers: what signatures are proven with; `nil`: what the configuration names.
    ///   - delivery: the IDS; `nil`: updates for it wait in the store.
    ///   - link: the global center; `nil`: this site has none.
    public init(
        configuration: LocalCenterConfiguration, store: CenterStore, provers: ProverSource? = nil, delivery: (any UpdateDelivery)?,
        link: (any GlobalCenterLink)?, logger: Logger
    ) {
        self.configuration = configuration
        self.store = store
        lanes = LocalCenterWorkers(
            configuration: configuration, store: store, provers: provers ?? ProverSource(configuration.proving),
            delivery: delivery, link: link, logger: logger)
    }

    public var accepts: Set<CenterEndpoint> { [.packets] }

    public func receive(_ packet: ExtractedPacket, from sender: Identity) async throws -> Receipt {
        let receipt = try await store.receive(Report(sender: sender, body: .packet(packet)))
        if !receipt.wasKnown { await lanes.analysis.bell.ring() }
        return receipt
    }

    /// Has every lane look for work: after a change that did not come through this service.
    public func wake() async {
        await lanes.wake()
    }

    /// Works until the task is cancelled or the service group shuts down.
    public func run() async throws {
        await cancelWhenGracefulShutdown { await self.lanes.run() }
    }
}
