// SPDX-License-Identifier: Apache-2.0

public import CenterServer
public import CenterStore
public import EpitopeModel
public import Logging
public import ServiceLifecycle
public import SignatureProving
public import Signatures

/// The global analysis center behind its HTTPS face: stores what sites forward and what hosts send straight,
/// correlates it over distinct sites, and publishes an update, with a sequence number, when a cluster reaches the
/// threshold. Subscribers that wait are answered at once.
///
/// Run it in a `ServiceGroup` beside the `CenterServer`.
public final class GlobalCenterService: CenterRequestHandling, Service {
    public let configuration: GlobalCenterConfiguration
    public let store: CenterStore
    private let analysis: AnalysisWorker
    private let feedBell: Bell

    /// - Parameter provers: what signatures are proven with; `nil`: what the configuration names.
    public init(
        configuration: GlobalCenterConfiguration, store: CenterStore, provers: ProverSource? = nil, logger: Logger
    ) {
        let feedBell = Bell()
        self.configuration = configuration
        self.store = store
        self.feedBell = feedBell
        analysis = AnalysisWorker(
            store: store, policy: configuration.policy,
            provers: provers ?? ProverSource(configuration.proving), keepDays: configuration.keepDays,
            onProgress: { await feedBell.ring() },
            onFailure: { error in logger.error("a step failed and is tried again: \(error)") })
    }

    public var accepts: Set<CenterEndpoint> {
        configuration.acceptsHosts
            ? [.packets, .forwards, .publishing, .subscriptions] : [.forwards, .publishing, .subscriptions]
    }

    public func receive(_ packet: ExtractedPacket, from sender: Identity) async throws -> Receipt {
        try await keep(Report(sender: sender, body: .packet(packet)))
    }

    public func receive(_ forward: ForwardedPacket, from sender: Identity) async throws -> Receipt {
        try await keep(Report(sender: sender, body: .forward(forward)))
    }

    public func receive(_ update: SignatureUpdate, from sender: Identity) async throws -> Receipt {
        var receipt = try await keep(Report(sender: sender, body: .update(update)))
        receipt.id = update.signature.id
        return receipt
    }

    public func updates(
        after sequence: Int64, waitSeconds: Int, for subscriber: Identity
    ) async throws -> [FeedEntry] {
        let deadline = ContinuousClock.now + .seconds(min(max(waitSeconds, 0), 60))
        while true {
            let seen = await feedBell.count
            // The store answers a cancelled task with an error; a subscriber that left needs no answer.
            if Task.isCancelled { return [] }
            let found: [FeedEntry]
            do {
                found = try await store.published(after: sequence)
            } catch {
                if Task.isCancelled { return [] }
                throw error
            }
            let remaining = deadline - .now
            guard found.isEmpty, remaining > .zero else { return found }
            await feedBell.wait(after: seen, atMost: remaining)
        }
    }

    /// Works until the task is cancelled or the service group shuts down.
    public func run() async throws {
        await cancelWhenGracefulShutdown { await self.analysis.run() }
    }

    private func keep(_ report: Report) async throws -> Receipt {
        let receipt = try await store.receive(report)
        if !receipt.wasKnown { await analysis.bell.ring() }
        return receipt
    }
}
