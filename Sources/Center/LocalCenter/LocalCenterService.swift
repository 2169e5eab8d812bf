// SPDX-License-Identifier: Apache-2.0

public import CenterAnalysis
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

/// A site's local analysis center: stores the packets that hosts send, and takes each through the chain in the
/// background: cluster, weigh, prove, build the update, deliver it to the IDS, forward.
///
/// Run it in a `ServiceGroup` beside the `CenterServer`. It resumes after a restart at any point: every step takes its
/// work from the store and commits its result there.
public final class LocalCenterService: CenterRequestHandling, WakefulService, Service {
    private let settings: LiveValue<LocalCenterConfiguration>
    /// The settings in force.
    public var configuration: LocalCenterConfiguration { settings.current }
    public let store: CenterStore
    private let context: LocalCenterContext
    private let signals = LocalCenterSignals()
    /// The workers of the shift that is under way, if there is one.
    private let working = LiveValue<LocalCenterWorkers?>(nil)
    private let receiver: ReportReceiver
    private let feed: FeedWatch
    private let logger: Logger
    private let work = ServiceHealth()
    private let notifications: NotificationWorker.Configuration

    public var health: ServiceHealth? { work }

    /// - Parameters:
    ///   - provers: what signatures are proven with; `nil`: as the configuration says.
    ///   - installer: the IDS; `nil`: updates for it wait in the store.
    ///   - engine: runs over captured flows that carried an attack; `nil`: no proof asks for it.
    ///   - link: the global center; `nil`: this site has none.
    ///   - linkMonitor: is told what becomes of the link; `nil`: one of its own, which only logs.
    ///   - peers: the sites whose updates this one reads; `nil`: none.
    public init(
        configuration: LocalCenterConfiguration, store: CenterStore, provers: ProverSource? = nil, installer: (any RuleInstalling)?,
        engine: (any EngineChecking)? = nil, link: (any GlobalCenterLink)?, linkMonitor: LinkMonitor? = nil,
        peers: (any PeerSource)? = nil, logger: Logger
    ) {
        feed = FeedWatch(store: store, for: .peers)
        settings = LiveValue(configuration)
        notifications = NotificationWorker.Configuration(configuration.notifications)
        self.store = store
        self.logger = logger
        let provers = provers ?? ProverSource(configuration.proving(isEngineAsked: engine != nil))
        let receiver = ReportReceiver(
            store: store, analysisSignal: signals.analysis, megabytesPerReporter: configuration.analysis.megabytesPerReporter,
            extractor: RegionExtractor(configuration.analysis.extraction, asking: provers, counters: store.counters))
        self.receiver = receiver
        context = LocalCenterContext(
            configuration: configuration, store: store, receiver: receiver, feed: feed, peers: peers,
            provers: provers, installer: installer,
            engine: engine, link: link, linkMonitor: linkMonitor ?? LinkMonitor(logger: logger), health: work, logger: logger)
    }

    public var scope: CenterScope { .local }

    public var centers: [String] { configuration.centers }

    public var counters: CenterCounters? { store.counters }

    public var accepts: Set<CenterEndpoint> { configuration.peers ? [.packets, .agents, .subscriptions] : [.packets, .agents] }

    public func updates(
        after position: FeedPosition, waitSeconds: Int, for subscriber: Identity
    ) async throws -> FeedPage {
        try await feed.page(after: position, waitSeconds: waitSeconds)
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

    public func agentOrder(for host: PeerCertificate, after report: AgentReport) async throws -> AgentAnswer {
        try await store.agentOrder(for: host.identity.name, after: report)
    }

    public func installableAgent(for architecture: AgentArchitecture) async throws -> SignedManifest {
        try await store.installableAgent(for: architecture)
    }

    public func agentPart(_ number: Int, of sha256: String) async throws -> [UInt8]? {
        try await store.agentPart(number, of: sha256)
    }

    /// Wakes every worker, after a change that did not come through this service.
    public func wake() async {
        signals.send()
        store.eventSignal.send()
        await feed.look()
    }

    /// Takes over other settings, as far as that needs no restart (`LocalCenterConfiguration.liveKeys`).
    public func follow(_ new: LocalCenterConfiguration) async {
        let configuration = settings.current.takingLive(from: new)
        settings.current = configuration
        receiver.follow(megabytesPerReporter: configuration.analysis.megabytesPerReporter)
        notifications.follow(configuration.notifications)
        await storeLimits()
        do {
            try await storeModes()
        } catch {
            logger.error("the modes could not be stored: the previous ones stay in force until they can be: \(error)")
            work.failed(.settings, error)
        }
        await working.current?.follow(configuration)
        signals.send()
    }

    /// Works until the task is cancelled or the service group shuts down.
    public func run() async throws {
        await storeLimits()
        // What others do with the store is heard of; over a file there is a pipe for that.
        store.listen { [signals, feed, eventSignal = store.eventSignal] topics in
            if topics.contains(.decisions) { eventSignal.send() }
            if topics.contains(.decisions) { signals.send() } else if topics.contains(.reports) { signals.analysis.send() }
            if !topics.isDisjoint(with: [.feed, .decisions]) { Task { await feed.look() } }
        }
        let (context, signals, settings, working) = (context, signals, settings, working)
        let (notifications, logger) = (notifications, logger)
        let follower = RuleFollower(store: store, installer: context.installer, logger: logger)
        await cancelWhenGracefulShutdown {
            await WorkShift(store: self.store, health: self.work, logger: self.logger).run(
                { held in
                    // Nothing goes out by other modes than those of the settings.
                    guard await self.storeModesAtLast() else { return }
                    var context = context
                    (context.store, context.configuration) = (held, settings.current)
                    let workers = LocalCenterWorkers(context, signals: signals)
                    working.current = workers
                    // What was changed meanwhile.
                    await workers.follow(settings.current)
                    let notifier = NotificationWorker(
                        store: held, configuration: notifications, sender: .here("local-center"), logger: logger)
                    async let telling: Void = notifier.run()
                    await workers.run()
                    await telling
                    working.current = nil
                },
                otherwise: {
                    await withTaskGroup { group in
                        group.addTask { await follower?.run() }
                        group.addTask { await self.feed.watch() }
                    }
                })
        }
    }

    private func storeModes() async throws(EpitopeError) {
        try await store.setModes(configuration.modePolicy)
        try await store.setKnownCaptures(configuration.captures)
    }

    /// Between attempts to store the modes.
    private static let modesInterval = Duration.seconds(5)

    /// - Returns: whether they are stored; `false`: the center ends.
    private func storeModesAtLast() async -> Bool {
        while !Task.isCancelled {
            do {
                try await storeModes()
                return true
            } catch {
                if Task.isCancelled { break }
                logger.error("the modes could not be stored, and no work is done before they are: \(error)")
                try? await Task.sleep(for: Self.modesInterval)
            }
        }
        return false
    }

    private func storeLimits() async {
        do {
            try await store.setQuotaLimits(configuration.quotaLimits)
        } catch {
            // What was cut short by the end is no failure of the store.
            if Task.isCancelled { return }
            // Only the status shows them: a full disk must not keep the center from delivering, expiring and pruning.
            logger.error("the quotas' limits could not be stored for the status: \(error)")
        }
    }
}
