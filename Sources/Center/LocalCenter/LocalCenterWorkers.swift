// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import CenterServer
import CenterStore
import EpitopeModel
import Logging
import Scheduling
import SignatureProving

/// What wakes the workers of a local center, whichever they are at the time.
struct LocalCenterSignals: Sendable {
    let analysis = WakeUpSignal()
    let ids = WakeUpSignal()
    let global = WakeUpSignal()

    func send() {
        analysis.send()
        ids.send()
        global.send()
    }
}

/// What a local center works with.
struct LocalCenterContext: Sendable {
    var configuration: LocalCenterConfiguration
    var store: CenterStore
    /// Takes in what peers say.
    var receiver: ReportReceiver
    /// What peers are told.
    var feed: FeedWatch
    /// `nil`: this site reads nobody's updates.
    var peers: (any PeerSource)?
    var provers: ProverSource
    /// `nil`: there is no IDS, and updates for it wait.
    var installer: (any RuleInstalling)?
    /// `nil`: no engine runs over captured flows.
    var engine: (any EngineChecking)?
    /// `nil`: this site has no global center.
    var link: (any GlobalCenterLink)?
    var linkMonitor: LinkMonitor
    var health: ServiceHealth
    var logger: Logger
}

/// The background work of a local center, a worker each for analysis, the IDS, the global center and the
/// subscription. They wait for each other only where the configuration orders them.
struct LocalCenterWorkers: Sendable {
    private let analysis: AnalysisWorker
    private let engineChecks: EngineCheckWorker?
    private let ids: DeliveryWorker?
    private let forwarding: ForwardingWorker?
    private let subscription: SubscriptionWorker?
    private let exchange: PeerExchange?
    /// The day's quotas.
    private let limits: LiveValue<QuotaLimits>
    private let hasGlobalCenter: Bool
    private let signals: LocalCenterSignals

    init(_ context: LocalCenterContext, signals: LocalCenterSignals) {
        let (configuration, store, logger) = (context.configuration, context.store, context.logger)
        let linkLog = context.linkMonitor.log
        let link = context.link.map { WatchedLink(link: $0, monitor: context.linkMonitor) }
        let (analysisSignal, idsSignal, globalSignal) = (signals.analysis, signals.ids, signals.global)
        let feed = context.feed
        exchange =
            configuration.updates
            ? context.peers.map { PeerExchange(store: store, receiver: context.receiver, source: $0, logger: logger) } : nil
        let limits = LiveValue(configuration.quotaLimits)
        self.limits = limits
        self.signals = signals
        hasGlobalCenter = link != nil
        let health = context.health
        let failureLog = FailureLog(logger: logger)
        func onFailure(_ part: ServiceHealth.Part) -> @Sendable (any Error) -> Void {
            { error in
                guard health.failed(part, error) else { return }
                failureLog.failed(part.rawValue, error)
            }
        }
        func onSuccess(_ part: ServiceHealth.Part) -> @Sendable () -> Void {
            {
                health.works(part)
                failureLog.works(part.rawValue)
            }
        }
        // What the global center answers goes on until a person does something.
        func onLinkFailure(_ part: ServiceHealth.Part) -> @Sendable (any Error) -> Void {
            { error in
                guard health.failed(part, error) else { return }
                linkLog.failed(part.rawValue, error)
            }
        }
        func onLinkSuccess(_ part: ServiceHealth.Part) -> @Sendable () -> Void {
            {
                health.works(part)
                linkLog.works(part.rawValue)
            }
        }
        let engineQueue = context.engine.map { _ in EngineCheckQueue() }
        let analyst = ReportAnalyst(
            store: store, policy: configuration.policy(hasGlobalCenter: link != nil), provers: context.provers,
            engineChecks: engineQueue)
        analysis = AnalysisWorker(
            analyst: analyst, keepDays: configuration.analysis.retention, signal: analysisSignal,
            onProgress: {
                idsSignal.send()
                globalSignal.send()
                await feed.look()
            },
            onFailure: onFailure(.analysis), onSuccess: onSuccess(.analysis))
        engineChecks = context.engine.flatMap { engine in
            engineQueue.map { queue in
                EngineCheckWorker(
                    store: store, engine: engine, queue: queue,
                    onProgress: {
                        analysisSignal.send()
                        idsSignal.send()
                        globalSignal.send()
                    }, onFailure: { logger.error("a check by the engine failed and will be made again: \($0)") })
            }
        }
        ids = context.installer.map { installer in
            let schedule = TargetSchedule(
                limits: limits, yieldingTo: configuration.first == .forward && link != nil ? .forward : nil,
                signal: idsSignal, otherSignal: globalSignal)
            return DeliveryWorker(
                store: store, installer: installer, schedule: schedule, onDamage: { analysisSignal.send() }, onFailure: onFailure(.ids),
                onSuccess: onSuccess(.ids))
        }
        forwarding = link.map { link in
            let schedule = TargetSchedule(
                limits: limits,
                yieldingTo: configuration.first == .ids && context.installer != nil ? .ids : nil,
                signal: globalSignal, otherSignal: idsSignal)
            return ForwardingWorker(
                store: store, link: link, schedule: schedule, onFailure: onLinkFailure(.forwarding), onSuccess: onLinkSuccess(.forwarding))
        }
        guard configuration.updates, configuration.subscribing, let link else {
            subscription = nil
            return
        }
        subscription = SubscriptionWorker(
            store: store, link: link, receiver: FeedReceiver(store: store, provers: context.provers), idsSignal: idsSignal,
            onFailure: onLinkFailure(.subscription), onSuccess: onLinkSuccess(.subscription))
    }

    /// Works until the task is cancelled.
    func run() async {
        await withTaskGroup { group in
            group.addTask { await analysis.run() }
            if let exchange { group.addTask { await exchange.run() } }
            if let engineChecks { group.addTask { await engineChecks.run() } }
            if let ids { group.addTask { await ids.run() } }
            if let forwarding { group.addTask { await forwarding.run() } }
            if let subscription { group.addTask { await subscription.run() } }
        }
    }

    /// Works by other settings from now on, as far as they need no restart.
    func follow(_ configuration: LocalCenterConfiguration) async {
        limits.current = configuration.quotaLimits
        await analysis.follow(configuration.policy(hasGlobalCenter: hasGlobalCenter), keepDays: configuration.analysis.retention)
        signals.send()
    }
}
