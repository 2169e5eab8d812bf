// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import CenterMetrics
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
    /// A look that takes longer hangs.
    private static let maxLook = Duration.seconds(120)

    let store: CenterStore
    let receiver: ReportReceiver
    let source: any PeerSource
    let logger: Logger

    private var counters: CenterCounters { store.counters }

    /// Works until the task is cancelled.
    func run() async {
        counters.lanes.start(.peers, limit: Self.maxLook)
        await withTaskGroup(of: Void.self) { group in
            var reading: [String: Ending] = [:]
            while !Task.isCancelled {
                counters.lanes.turn(.peers)
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
                counters.peersRead.set(Int64(reading.count))
                try? await Task.sleep(for: Self.lookInterval)
            }
            group.cancelAll()
        }
        counters.peersRead.set(0)
    }

    private func read(_ name: String, _ link: any PeerLink, until ended: Ending) async {
        let peer = Identity(role: .localCenter, name: name)
        for outcome in PeerPollEnd.allCases { counters.peerPolls.declare([[name, outcome.rawValue]]) }
        let failure = Mutex<EpitopeError.Code?>(nil)
        let polling = FeedPolling(
            isEnded: { ended.isSet },
            onFailure: { error, _ in
                counters.peerPolls.add(name, PeerPollEnd.failed.rawValue)
                let code = (error as? EpitopeError)?.code
                let isNews = failure.withLock { known in
                    defer { known = code }
                    return known == nil || known != code
                }
                if isNews { logger.warning("the updates of the peer \(name) can't be read now, and are tried again: \(error)") }
            })
        await polling.run { waitSeconds in
            let position = try await store.position(inFeedOf: name)
            let page = try await link.updates(after: position, waitSeconds: waitSeconds)
            let hadFailed = failure.withLock { known in
                defer { known = nil }
                return known != nil
            }
            if hadFailed { logger.notice("the updates of the peer \(name) are read again") }
            // A removed peer's position is not to come back.
            guard !ended.isSet else { return true }
            counters.peerPolls.add(name, (page.entries.isEmpty ? PeerPollEnd.nothing : .news).rawValue)
            // The feed is another one, or was put back from a backup, and has nothing yet.
            if page.isFromStart, page.entries.isEmpty, position != .start { try await store.forgetFeed(of: name) }
            for entry in page.entries { try await take(entry, of: peer) }
            return !page.entries.isEmpty
        }
    }

    /// - Throws: what keeps an entry from being stored now: it is asked for again.
    private func take(_ entry: FeedEntry, of peer: Identity) async throws(EpitopeError) {
        if let update = entry.update {
            do throws(EpitopeError) {
                _ = try await receiver.accept(Report(sender: peer, body: .update(update)))
            } catch  where error.isFinalForMessage {
                try await store.transaction {
                    try $0.passOver(entry.position, of: peer.name, reason: error.description)
                }
                return counters.peerEntries.add(.passedOver)
            }
        }
        try await store.transaction { transaction in
            if case .withdrawal(let withdrawal) = entry.change { try transaction.takeBack(withdrawal, by: peer) }
            try transaction.setPosition(entry.position, inFeedOf: peer.name)
        }
        switch entry.change {
        case .update: counters.peerEntries.add(.update)
        case .withdrawal: counters.peerEntries.add(.withdrawal)
        case .unreadable: counters.peerEntries.add(.passedOver)
        }
    }
}

/// Whether a peer's feed is read no more.
private final class Ending: Sendable {
    private let hasCome = Mutex(false)

    var isSet: Bool { hasCome.withLock { $0 } }

    func set() { hasCome.withLock { $0 = true } }
}
