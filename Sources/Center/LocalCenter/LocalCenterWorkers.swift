// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import CenterServer
import CenterStore
import EpitopeModel
import Logging
import Scheduling
import SignatureProving

/// What a local center works with.
struct LocalCenterContext: Sendable {
    var configuration: LocalCenterConfiguration
    var store: CenterStore
    var provers: ProverSource
    /// `nil`: there is no IDS, and updates for it wait.
    var installer: (any RuleInstalling)?
    /// `nil`: no engine runs over captured flows.
    var engine: (any EngineChecking)?
    /// `nil`: this site has no global center.
    var link: (any GlobalCenterLink)?
    var health: ServiceHealth
    var logger: Logger
}

/// The background work of a local center, a worker each for analysis, the IDS, the global center and the
/// subscription. They wait for each other only where the configuration orders them.
struct LocalCenterWorkers: Sendable {
    let analysis: AnalysisWorker
    private let engineChecks: EngineCheckWorker?
    private let ids: DeliveryWorker?
    private let forwarding: ForwardingWorker?
    private let subscription: SubscriptionWorker?
    private let idsSignal = WakeUpSignal()
    private let globalSignal = WakeUpSignal()

    init(_ context: LocalCenterContext) {
        let (configuration, store, link, logger) = (context.configuration, context.store, context.link, context.logger)
        let (idsSignal, globalSignal) = (idsSignal, globalSignal)
        let health = context.health
        func onFailure(_ part: ServiceHealth.Part) -> @Sendable (any Error) -> Void {
            { error in
                health.failed(part, error)
                logger.error("a step of \(part.rawValue) failed and will be tried again: \(error)")
            }
        }
        let engineQueue = context.engine.map { _ in EngineCheckQueue() }
        let analyst = ReportAnalyst(
            store: store, policy: configuration.policy(hasGlobalCenter: link != nil), provers: context.provers,
            engineChecks: engineQueue)
        analysis = AnalysisWorker(
            analyst: analyst, keepDays: configuration.analysis.keepDays,
            onProgress: {
                idsSignal.send()
                globalSignal.send()
            },
            onFailure: onFailure(.analysis), onSuccess: { health.works(.analysis) })
        let analysisSignal = analysis.signal
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
                limits: configuration.quotaLimits, yieldingTo: configuration.first == .forward && link != nil ? .forward : nil,
                signal: idsSignal, otherSignal: globalSignal)
            return DeliveryWorker(
                store: store, installer: installer, schedule: schedule, onDamage: { analysisSignal.send() }, onFailure: onFailure(.ids),
                onSuccess: { health.works(.ids) })
        }
        forwarding = link.map { link in
            let schedule = TargetSchedule(
                limits: configuration.quotaLimits,
                yieldingTo: configuration.first == .ids && context.installer != nil ? .ids : nil,
                signal: globalSignal, otherSignal: idsSignal)
            return ForwardingWorker(
                store: store, link: link, schedule: schedule, onFailure: onFailure(.forwarding), onSuccess: { health.works(.forwarding) })
        }
        guard configuration.updates, configuration.subscribing, let link else {
            subscription = nil
            return
        }
        subscription = SubscriptionWorker(
            store: store, link: link, receiver: FeedReceiver(store: store, provers: context.provers), idsSignal: idsSignal,
            onFailure: onFailure(.subscription), onSuccess: { health.works(.subscription) })
    }

    /// Works until the task is cancelled.
    func run() async {
        await withTaskGroup { group in
            group.addTask { await analysis.run() }
            if let engineChecks { group.addTask { await engineChecks.run() } }
            if let ids { group.addTask { await ids.run() } }
            if let forwarding { group.addTask { await forwarding.run() } }
            if let subscription { group.addTask { await subscription.run() } }
        }
    }

    func wake() async {
        analysis.signal.send()
        idsSignal.send()
        globalSignal.send()
    }
}
