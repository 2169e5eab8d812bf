// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
public import CenterMetrics
import CenterMonitoring
public import CenterServer
public import CenterStore
public import EpitopeModel
public import Logging
import NotificationDelivery
public import PacketCoding
import Scheduling
public import SecureChannel
public import ServiceLifecycle
import SettingsFiles
public import SignatureProving
public import Signatures

/// The global analysis center: stores the packets that sites forward and that hosts send directly, correlates them
/// over distinct sites, and publishes an update, with a sequence number, when a cluster reaches the threshold.
/// Waiting subscribers are answered at once.
///
/// Run it in a `ServiceGroup` beside the `CenterServer`.
public final class GlobalCenterService: CenterRequestHandling, WakefulService, Service {
    private let settings: LiveValue<GlobalCenterConfiguration>
    /// The settings in force.
    public var configuration: GlobalCenterConfiguration { settings.current }
    public let store: CenterStore
    private let provers: ProverSource
    private let analysisSignal = WakeUpSignal()
    /// The worker of the shift that is under way, if there is one.
    private let working = LiveValue<AnalysisWorker?>(nil)
    private let receiver: ReportReceiver
    private let feed: FeedWatch
    private let work = ServiceHealth()
    private let notifications: NotificationWorker.Configuration
    private let logger: Logger

    public var health: ServiceHealth? { work }

    /// - Parameter provers: what signatures are proven with; `nil`: as the configuration says.
    public init(
        configuration: GlobalCenterConfiguration, store: CenterStore, provers: ProverSource? = nil, logger: Logger
    ) {
        feed = FeedWatch(store: store)
        settings = LiveValue(configuration)
        notifications = NotificationWorker.Configuration(configuration.notifications)
        self.store = store
        self.logger = logger
        let provers = provers ?? ProverSource(configuration.proving)
        self.provers = provers
        receiver = ReportReceiver(
            store: store, analysisSignal: analysisSignal, megabytesPerReporter: configuration.analysis.megabytesPerReporter,
            extractor: RegionExtractor(configuration.analysis.extraction, asking: provers, counters: store.counters))
    }

    public var scope: CenterScope { .global }

    public var centers: [String] { configuration.centers }

    public var counters: CenterCounters? { store.counters }

    public var accepts: Set<CenterEndpoint> {
        configuration.acceptsHosts
            ? [.packets, .forwards, .publishing, .subscriptions] : [.forwards, .publishing, .subscriptions]
    }

    public func noteSource(of sender: Identity, address: String) async throws {
        try await work.noting(.store) { try await store.noteSource(of: sender, address: address) }
    }

    public func note(_ sightings: [PeerSighting]) async throws {
        try await store.note(sightings)
    }

    public func receive(_ packet: ReceivedPacket, from sender: PeerCertificate) async throws -> Receipt {
        try await work.noting(.store) { try await receiver.accept(Report(sender: sender, body: .packet(packet))) }
    }

    public func code(digest: [UInt8]) async throws -> [UInt8]? {
        try await receiver.code(digest: digest)
    }

    public func receive(_ counts: WithheldCounts, from sender: PeerCertificate) async throws {
        try await receiver.note(counts, of: sender.identity, issuedMilliseconds: sender.issuedMilliseconds)
    }

    public func receive(_ forward: ForwardedPacket, from sender: PeerCertificate) async throws -> Receipt {
        try await work.noting(.store) { try await receiver.accept(Report(sender: sender, body: .forward(forward))) }
    }

    public func receive(_ update: SignatureUpdate, from sender: PeerCertificate) async throws -> Receipt {
        var receipt = try await work.noting(.store) { try await receiver.accept(Report(sender: sender, body: .update(update))) }
        receipt.id = update.signature.id
        return receipt
    }

    public func updates(
        after position: FeedPosition, waitSeconds: Int, for subscriber: Identity
    ) async throws -> FeedPage {
        try await feed.page(after: position, waitSeconds: waitSeconds)
    }

    /// Looks for changes that did not come through this service, such as a person's withdrawal.
    public func wake() async {
        analysisSignal.send()
        store.eventSignal.send()
        await feed.look()
    }

    /// Takes over other settings, as far as that needs no restart (`GlobalCenterConfiguration.liveKeys`).
    public func follow(_ new: GlobalCenterConfiguration) async {
        let configuration = settings.current.takingLive(from: new)
        settings.current = configuration
        receiver.follow(megabytesPerReporter: configuration.analysis.megabytesPerReporter)
        notifications.follow(configuration.notifications)
        await storeLimits()
        await working.current?.follow(configuration.policy, keepDays: configuration.analysis.retention)
        await wake()
    }

    /// Works until the task is cancelled or the service group shuts down.
    public func run() async throws {
        await storeLimits()
        store.listen { [feed, analysisSignal, eventSignal = store.eventSignal] topics in
            if topics.contains(.decisions) { eventSignal.send() }
            if !topics.isDisjoint(with: [.reports, .decisions]) { analysisSignal.send() }
            if !topics.isDisjoint(with: [.feed, .decisions]) { Task { await feed.look() } }
        }
        let (settings, working, notifications, logger) = (settings, working, notifications, logger)
        await cancelWhenGracefulShutdown {
            await WorkShift(store: self.store, health: self.work, logger: self.logger).run(
                { held in
                    let worker = self.worker(on: held)
                    working.current = worker
                    // What was changed meanwhile.
                    await worker.follow(settings.current.policy, keepDays: settings.current.analysis.retention)
                    let notifier = NotificationWorker(
                        store: held, configuration: notifications, sender: .here("global-center"), logger: logger)
                    async let telling: Void = notifier.run()
                    await worker.run()
                    await telling
                    working.current = nil
                }, otherwise: { await self.feed.watch() })
        }
    }

    private func storeLimits() async {
        do {
            try await store.setQuotaLimits(QuotaLimits(publications: configuration.updatesADay))
        } catch {
            // What was cut short by the end is no failure of the store.
            if Task.isCancelled { return }
            // Only the status shows it.
            logger.error("the quota's limit could not be stored for the status: \(error)")
        }
    }

    private func worker(on store: CenterStore) -> AnalysisWorker {
        let (work, feed, logger) = (work, feed, logger)
        let analyst = ReportAnalyst(store: store, policy: configuration.policy, provers: provers)
        return AnalysisWorker(
            analyst: analyst, keepDays: configuration.analysis.retention, signal: analysisSignal, onProgress: { await feed.look() },
            onFailure: { error in
                guard work.failed(.analysis, error) else { return }
                logger.error("a step failed and will be tried again: \(error)")
            }, onSuccess: { work.works(.analysis) })
    }
}
