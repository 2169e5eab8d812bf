// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
public import CenterServer
public import CenterStore
public import EpitopeModel
public import Logging
public import PacketCoding
import Scheduling
public import ServiceLifecycle
public import SignatureProving
public import Signatures

/// The global analysis center: stores the packets that sites forward and that hosts send directly, correlates them
/// over distinct sites, and publishes an update, with a sequence number, when a cluster reaches the threshold.
/// Waiting subscribers are answered at once.
///
/// Run it in a `ServiceGroup` beside the `CenterServer`.
public final class GlobalCenterService: CenterRequestHandling, WakefulService, Service {
    public let configuration: GlobalCenterConfiguration
    public let store: CenterStore
    private let analysis: AnalysisWorker
    private let receiver: ReportReceiver
    private let feed: FeedWatch
    private let work = ServiceHealth()

    public var health: ServiceHealth? { work }

    /// - Parameter provers: what signatures are proven with; `nil`: as the configuration says.
    public init(
        configuration: GlobalCenterConfiguration, store: CenterStore, provers: ProverSource? = nil, logger: Logger
    ) {
        let feed = FeedWatch(store: store)
        let work = work
        self.configuration = configuration
        self.store = store
        self.feed = feed
        let analyst = ReportAnalyst(
            store: store, policy: configuration.policy, provers: provers ?? ProverSource(configuration.proving))
        analysis = AnalysisWorker(
            analyst: analyst, keepDays: configuration.analysis.keepDays, onProgress: { await feed.look() },
            onFailure: { error in
                work.failed(.analysis, error)
                logger.error("a step failed and will be tried again: \(error)")
            }, onSuccess: { work.works(.analysis) })
        receiver = ReportReceiver(
            store: store, analysisSignal: analysis.signal, megabytesPerReporter: configuration.analysis.megabytesPerReporter)
    }

    public var scope: CenterScope { .global }

    public var accepts: Set<CenterEndpoint> {
        configuration.acceptsHosts
            ? [.packets, .forwards, .publishing, .subscriptions] : [.forwards, .publishing, .subscriptions]
    }

    public func noteSource(of sender: Identity, address: String) async throws {
        try await work.noting(.store) { try await store.noteSource(of: sender, address: address) }
    }

    public func receive(_ packet: ReceivedPacket, from sender: Identity) async throws -> Receipt {
        try await work.noting(.store) { try await receiver.accept(Report(sender: sender, body: .packet(packet))) }
    }

    public func code(digest: [UInt8]) async throws -> [UInt8]? {
        try await receiver.code(digest: digest)
    }

    public func receive(_ counts: WithheldCounts, from sender: Identity) async throws {
        try await receiver.note(counts, of: sender)
    }

    public func receive(_ forward: ForwardedPacket, from sender: Identity) async throws -> Receipt {
        try await work.noting(.store) { try await receiver.accept(Report(sender: sender, body: .forward(forward))) }
    }

    public func receive(_ update: SignatureUpdate, from sender: Identity) async throws -> Receipt {
        var receipt = try await work.noting(.store) { try await receiver.accept(Report(sender: sender, body: .update(update))) }
        receipt.id = update.signature.id
        return receipt
    }

    public func updates(
        after position: FeedPosition, waitSeconds: Int, for subscriber: Identity
    ) async throws -> FeedPage {
        let deadline = ContinuousClock.now + .seconds(min(max(waitSeconds, 0), 60))
        while true {
            let seen = feed.signal.count
            // The store answers a cancelled task with an error; a subscriber that left needs no answer.
            if Task.isCancelled { return FeedPage() }
            let found: FeedPage
            do {
                found = try await store.feedPage(after: position)
            } catch {
                if Task.isCancelled { return FeedPage() }
                throw error
            }
            let remaining = deadline - .now
            guard found.entries.isEmpty, !found.isFromStart, remaining > .zero else { return found }
            await feed.signal.wait(after: seen, atMost: remaining)
        }
    }

    /// Looks for changes that did not come through this service, such as a person's withdrawal.
    public func wake() async {
        analysis.signal.send()
        await feed.look()
    }

    /// Works until the task is cancelled or the service group shuts down.
    public func run() async throws {
        await cancelWhenGracefulShutdown { await self.analysis.run() }
    }
}
