// SPDX-License-Identifier: Apache-2.0

import CenterServer
import Crypto
import EpitopeModel
import PacketCoding
import SecureChannel
import Signatures
import Synchronization

/// A center's service for tests: it keeps the messages that it gets, and publishes the updates that a test gives it.
actor RecordingService: CenterRequestHandling {
    nonisolated let scope: CenterScope
    nonisolated let health: ServiceHealth? = ServiceHealth()
    nonisolated let accepts: Set<CenterEndpoint>
    /// The addresses that the center tells.
    nonisolated let told = Mutex<[String]>([])
    nonisolated var centers: [String] { told.withLock(\.self) }
    private(set) var received: [ReceivedPacket] = []
    private(set) var counts: [WithheldCounts] = []
    private(set) var forwards: [ForwardedPacket] = []
    private(set) var published: [SignatureUpdate] = []
    private(set) var senders: [Identity] = []
    private(set) var sightings: [PeerSighting] = []
    private(set) var waitingSubscribers = 0
    /// The positions that subscribers gave.
    private(set) var asked: [FeedPosition] = []
    private var isFromStart = false
    private var feed: [FeedEntry] = []
    private var failure: (any Error)?
    private var receiptID: String?
    private var codes: [[UInt8]: [UInt8]] = [:]
    /// The digests of code that was asked for.
    private(set) var askedCodes: [[UInt8]] = []

    var packets: [ExtractedPacket] { received.map(\.value) }

    static let storedMilliseconds: Int64 = 1_700_000_000_123

    init(scope: CenterScope = .local, accepts: Set<CenterEndpoint> = Set(CenterEndpoint.allCases)) {
        self.scope = scope
        self.accepts = accepts
    }

    func note(_ sightings: [PeerSighting]) { self.sightings += sightings }

    func fail(with error: any Error) {
        failure = error
    }

    /// Gives receipts for another message from now on.
    func giveReceipts(for id: String) {
        receiptID = id
    }

    /// Answers as a center does that doesn't know a subscriber's position.
    func beginAnew() {
        isFromStart = true
    }

    /// Has a code from now on, or no longer.
    func hold(_ code: [UInt8], _ isHeld: Bool = true) {
        codes[Array(SHA256.hash(data: code))] = isHeld ? code : nil
    }

    func code(digest: [UInt8]) -> [UInt8]? {
        askedCodes.append(digest)
        return codes[digest]
    }

    func publish(_ update: FeedEntry) {
        feed.append(update)
    }

    func receive(_ packet: ReceivedPacket, from sender: PeerCertificate) throws -> Receipt {
        if let failure { throw failure }
        let wasKnown = received.contains { $0.value.id == packet.value.id }
        received.append(packet)
        return receipt(packet.value.id, from: sender, wasKnown: wasKnown)
    }

    func receive(_ counts: WithheldCounts, from sender: PeerCertificate) {
        self.counts.append(counts)
    }

    func receive(_ forward: ForwardedPacket, from sender: PeerCertificate) -> Receipt {
        forwards.append(forward)
        return receipt(forward.id, from: sender)
    }

    func receive(_ update: SignatureUpdate, from sender: PeerCertificate) -> Receipt {
        published.append(update)
        return receipt(update.signature.id, from: sender)
    }

    func updates(after position: FeedPosition, waitSeconds: Int, for subscriber: Identity) async throws -> FeedPage {
        asked.append(position)
        waitingSubscribers += 1
        defer { waitingSubscribers -= 1 }
        let end = ContinuousClock.now + .seconds(waitSeconds)
        while true {
            let news = feed.filter { $0.sequence > position.sequence }
            if !news.isEmpty || ContinuousClock.now >= end { return FeedPage(entries: news, isFromStart: isFromStart) }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    private func receipt(_ id: String, from sender: PeerCertificate, wasKnown: Bool = false) -> Receipt {
        senders.append(sender.identity)
        return Receipt(id: receiptID ?? id, storedMilliseconds: Self.storedMilliseconds, wasKnown: wasKnown)
    }
}
