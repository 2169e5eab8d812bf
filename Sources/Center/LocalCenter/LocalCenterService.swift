// SPDX-License-Identifier: Apache-2.0

public import CenterAnalysis
public import CenterServer
public import CenterStore
public import EpitopeModel
public import Logging
public import PacketCoding
public import ServiceLifecycle
public import SignatureProving

/// A site's local analysis center: stores the packets that hosts send, and takes each through the chain in the
/// background: cluster, weigh, prove, build the update, deliver it to the IDS, forward.
///
/// Run it in a `ServiceGroup` beside the `CenterServer`. It resumes after a restart at any point: every step takes its
/// work from the store and commits its result there.
public final class LocalCenterService: CenterRequestHandling, WakefulService, Service {
    public let configuration: LocalCenterConfiguration
    public let store: CenterStore
    private let workers: LocalCenterWorkers
    private let receiver: ReportReceiver
    private let logger: Logger
    private let work = ServiceHealth()

    public var health: ServiceHealth? { work }

    /// - Parameters:
    ///   - provers: what signatures are proven with; `nil`: as the configuration says.
    ///   - installer: the IDS; `nil`: updates for it wait in the store.
    ///   - engine: runs over captured flows that carried an attack; `nil`: no proof asks for it.
    ///   - link: the global center; `nil`: this site has none.
    public init(
        configuration: LocalCenterConfiguration, store: CenterStore, provers: ProverSource? = nil, installer: (any RuleInstalling)?,
        engine: (any EngineChecking)? = nil, link: (any GlobalCenterLink)?, logger: Logger
    ) {
        self.configuration = configuration
        self.store = store
        self.logger = logger
        workers = LocalCenterWorkers(
            LocalCenterContext(
                configuration: configuration, store: store,
                provers: provers ?? ProverSource(configuration.proving(isEngineAsked: engine != nil)), installer: installer,
                engine: engine, link: link, health: work, logger: logger))
        receiver = ReportReceiver(
            store: store, analysisSignal: workers.analysis.signal, megabytesPerReporter: configuration.analysis.megabytesPerReporter)
    }

    public var scope: CenterScope { .local }

    public var accepts: Set<CenterEndpoint> { [.packets] }

    public func receive(_ packet: ReceivedPacket, from sender: Identity) async throws -> Receipt {
        try await work.noting(.store) { try await receiver.accept(Report(sender: sender, body: .packet(packet))) }
    }

    public func code(digest: [UInt8]) async throws -> [UInt8]? {
        try await receiver.code(digest: digest)
    }

    public func receive(_ counts: WithheldCounts, from sender: Identity) async throws {
        try await receiver.note(counts, of: sender)
    }

    /// Wakes every worker, after a change that did not come through this service.
    public func wake() async {
        await workers.wake()
    }

    /// Works until the task is cancelled or the service group shuts down.
    public func run() async throws {
        do {
            try await store.setQuotaLimits(configuration.quotaLimits)
        } catch {
            // Only the status shows them: a full disk must not keep the center from delivering, expiring and pruning.
            logger.error("the quotas' limits could not be stored for the status: \(error)")
        }
        await cancelWhenGracefulShutdown { await self.workers.run() }
    }
}
