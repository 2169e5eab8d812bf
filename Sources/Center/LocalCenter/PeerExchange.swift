// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import CenterStore
public import EpitopeModel
import Logging
import Scheduling
public import SecureChannel
public import Signatures
import Synchronization

/// The interface to another site's center.
public protocol PeerLink: Sendable {
    /// What it told its peers after a position in its feed, oldest first; as ``GlobalCenterLink/updates(after:waitSeconds:)``.
    func updates(after position: FeedPosition, waitSeconds: Int) async throws(EpitopeError)
        -> FeedPage
}

/// The sites whose updates this one reads.
public protocol PeerSource: Sendable {
    /// The links, by the names that the sites have here. It is asked again and again: a person adds and removes some.
    func current() -> [String: any PeerLink]
}

extension EnrolledClient: PeerLink {}

/// Reads the feeds of other sites, and takes each update in as a report of that site: as one site's word, which is rationed, weighed and
/// proven as a host's is.
struct PeerExchange: Sendable {
    /// How often it is looked who is there.
    private static let lookInterval = Duration.seconds(15)
    /// Less than the 60 s that a center holds a long poll open.
    private static let waitSeconds = 55
    /// The minimum time between two polls without updates, in case a center answers at once.
    private static let minInterval = Duration.seconds(1)

    let store: CenterStore
    let receiver: ReportReceiver
    let source: any PeerSource
    let logger: Logger

    /// Works until the task is cancelled.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            var reading: [String: Ending] = [:]
            while !Task.isCancelled {
                let links = source.current()
                for (name, ended) in reading where links[name] == nil {
                    ended.set()
                    reading[name] = nil
                }
                for (name, link) in links where reading[name] == nil {
                    let ended = Ending()
                    reading[name] = ended
                    group.addTask { await read(name, link, until: ended) }
                }
                try? await Task.sleep(for: Self.lookInterval)
            }
            group.cancelAll()
        }
    }

    private func read(_ name: String, _ link: any PeerLink, until ended: Ending) async {
        let peer = Identity(role: .localCenter, name: name)
        var backoff = RetryState(.center)
        var failure: EpitopeError.Code?
        while !Task.isCancelled, !ended.isSet {
            let asked = ContinuousClock.now
            do throws(EpitopeError) {
                let position = try await store.position(inFeedOf: name)
                let page = try await link.updates(
                    after: position, waitSeconds: failure == nil ? Self.waitSeconds : 0)
                if failure != nil { logger.notice("the updates of the peer \(name) are read again") }
                failure = nil
                backoff.succeeded()
                // A removed peer's position is not to come back.
                guard !ended.isSet else { return }
                // The feed is another one, or was put back from a backup, and has nothing yet.
                if page.isFromStart, page.entries.isEmpty, position != .start {
                    try await store.forgetFeed(of: name)
                }
                for entry in page.entries { try await take(entry, of: peer) }
                if page.entries.isEmpty { try? await Task.sleep(until: asked + Self.minInterval) }
            } catch {
                if Task.isCancelled || ended.isSet { return }
                if failure != error.code {
                    logger.warning(
                        "the updates of the peer \(name) can't be read now, and are tried again: \(error)")
                }
                failure = error.code
                try? await Task.sleep(for: backoff.failed(by: error))
            }
        }
    }

    /// - Throws: what keeps an entry from being stored now: it is asked for again.
    private func take(_ entry: FeedEntry, of peer: Identity) async throws(EpitopeError) {
        if let update = entry.update {
            do throws(EpitopeError) {
                _ = try await receiver.accept(Report(sender: peer, body: .update(update)))
            } catch  where error.isFinalForMessage {
                return try await store.transaction {
                    try $0.passOver(entry.position, of: peer.name, reason: error.description)
                }
            }
        }
        try await store.transaction { transaction in
            if case .withdrawal(let withdrawal) = entry.change { try transaction.takeBack(withdrawal, by: peer) }
            try transaction.setPosition(entry.position, inFeedOf: peer.name)
        }
    }
}

/// Whether a peer's feed is read no more.
private final class Ending: Sendable {
    private let hasCome = Mutex(false)

    var isSet: Bool { hasCome.withLock { $0 } }

    func set() { hasCome.withLock { $0 = true } }
}
