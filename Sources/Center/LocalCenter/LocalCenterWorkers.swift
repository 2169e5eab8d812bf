// SPDX-License-Identifier: Apache-2.0

internal import CenterStore
internal import EpitopeModel
internal import Logging
internal import SignatureProving

/// The background work of a local center, a lane each: analysis, the IDS, the global center, the subscription. They
/// wait for each other only where the configuration orders them.
struct LocalCenterWorkers: Sendable {
    let analysis: AnalysisWorker
    private let ids: DeliveryWorker?
    private let forwarding: ForwardingWorker?
    private let subscription: SubscriptionWorker?
    private let idsBell: Bell
    private let globalBell: Bell

    init(
        configuration: LocalCenterConfiguration, store: CenterStore, provers: ProverSource,
        delivery: (any UpdateDelivery)?, link: (any GlobalCenterLink)?, logger: Logger
    ) {
        let (idsBell, globalBell) = (Bell(), Bell())
        let onFailure: @Sendable (any Error) -> Void = { error in
            logger.error("a step failed and is tried again: \(error)")
        }
        let policy = configuration.policy(hasGlobalCenter: link != nil)
        self.idsBell = idsBell
        self.globalBell = globalBell
        analysis = AnalysisWorker(
            store: store, policy: policy, provers: provers, keepDays: configuration.keepDays,
            onProgress: {
                await idsBell.ring()
                await globalBell.ring()
            },
            onFailure: onFailure)
        ids = delivery.map { delivery in
            DeliveryWorker(
                store: store, delivery: delivery, limits: configuration.quotaLimits,
                waitsFor: configuration.first == .forward && link != nil ? .forward : nil, bell: idsBell,
                other: globalBell, onFailure: onFailure)
        }
        forwarding = link.map { link in
            ForwardingWorker(
                store: store, link: link, limits: configuration.quotaLimits,
                waitsFor: configuration.first == .ids && delivery != nil ? .ids : nil, bell: globalBell,
                other: idsBell, onFailure: onFailure)
        }
        subscription =
            configuration.updates && configuration.subscribing
            ? link.map { SubscriptionWorker(store: store, link: $0, provers: provers, idsBell: idsBell, onFailure: onFailure) } : nil
    }

    func run() async {
        await withTaskGroup { group in
            group.addTask { await analysis.run() }
            if let ids { group.addTask { await ids.run() } }
            if let forwarding { group.addTask { await forwarding.run() } }
            if let subscription { group.addTask { await subscription.run() } }
        }
    }

    func wake() async {
        await analysis.bell.ring()
        await idsBell.ring()
        await globalBell.ring()
    }
}

/// How long until a moment by the store's clock; a little more, so that it has come when it is looked at.
func delay(until milliseconds: Int64?, by clock: CenterClock) -> Duration? {
    guard let milliseconds, milliseconds != .max else { return nil }
    return .milliseconds(max(1, milliseconds - clock.nowMilliseconds + 1))
}
