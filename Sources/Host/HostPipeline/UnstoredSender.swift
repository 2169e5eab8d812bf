// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import HostStore
import Logging
import Novelty
import PacketCoding
import Scheduling
import Synchronization

/// Sends what this host has no room to store, straight from memory: a host without room, or without the right to write into its state
/// folder, reports all the same. What weighs most goes first.
///
/// Without its store a host does not know what it has sent today. Within one run it sends as many packets as its quota says, none twice; the
/// center's shares bound the rest. Once there is room a packet is stored and sent again, and the center knows it by its id.
struct UnstoredSender: Sendable {
    let destination: Destination
    let store: HostStore
    let sender: any PacketSender
    let backoff: Backoff
    let log: EventLog
    let logger: Logger
    let signals: SenderSignals
    let draining: Flag
    let tallies: TallyBook
    let backlog: PacketBacklogBook

    /// Runs until it is drained or its task is cancelled.
    func run() async {
        var retry = RetryState(backoff)
        var turnedAway = RetryState(SpoolSender.turnedAwayBackoff)
        var sent = SentUnstored(limit: store.settings.quota.limit, novelty: store.settings.novelty)
        while !Task.isCancelled {
            let seen = signals.unstored.count
            let identitySeen = signals.identity.count
            let isLastLook = draining.isSet
            guard let packet = next(&sent) else {
                if isLastLook { return }
                // What is beyond the quota now may be within it later.
                await signals.unstored.wait(after: seen, atMost: .hours(1))
                continue
            }
            do {
                let receipt = try await sender.send(store.unstoredForm(of: packet), to: destination)
                sent.add(PacketFingerprint(packet), now: .now)
                note(packet, receipt)
                retry.succeeded()
                turnedAway.succeeded()
            } catch {
                // At the end an unreachable center is not waited for: what could neither be stored nor sent is lost, and counted.
                switch (error as? EpitopeError).map(SendingFailure.init) ?? .temporary {
                case .packetRefused:
                    logger.error("packet \(packet.id) was refused, and could not be set aside: \(error)")
                    settle(packet)
                case .hostTurnedAway:
                    if draining.isSet { return }
                    await signals.identity.wait(after: identitySeen, atMost: turnedAway.failed())
                case .temporary:
                    if draining.isSet { return }
                    await signals.unstored.wait(after: seen, atMost: retry.failed())
                }
            }
        }
    }

    /// The next packet that may go. One like another that went settles itself; beyond the quota none goes.
    private func next(_ sent: inout SentUnstored) -> ExtractedPacket? {
        while let packet = backlog.packets.withLock({ $0.next(for: destination) }) {
            switch sent.decide(PacketFingerprint(packet), now: .now) {
            case .duplicate: settle(packet)
            case .overQuota: return nil
            case .new: return packet
            }
        }
        return nil
    }

    private func settle(_ packet: ExtractedPacket) { backlog.packets.withLock { $0.settle(packet.id, at: destination) } }

    private func note(_ packet: ExtractedPacket, _ receipt: Receipt) {
        settle(packet)
        log.append(HostEvent(sent: packet.id, to: destination, receipt, time: EventLog.now()))
        tallies.update {
            $0.sent += 1
            $0.sentUnstored += 1
            $0.sendingFailure = nil
        }
    }
}

/// The packets that could not be stored, for the pipeline and its senders.
final class PacketBacklogBook: Sendable {
    let packets = Mutex(PacketBacklog())
}

/// What was sent without having been stored, within one run.
struct SentUnstored {
    enum Decision: Hashable {
        case new
        case duplicate
        case overQuota
    }

    /// In a day.
    private let limit: Int
    private let novelty: NoveltyPolicy
    private var sent: [(fingerprint: PacketFingerprint, time: ContinuousClock.Instant)] = []
    /// How many are remembered to tell duplicates.
    private static let maxRemembered = 64

    init(limit: Int, novelty: NoveltyPolicy) { (self.limit, self.novelty) = (limit, novelty) }

    func decide(_ fingerprint: PacketFingerprint, now: ContinuousClock.Instant) -> Decision {
        if sent.contains(where: { novelty.isDuplicate(fingerprint, of: $0.fingerprint) }) { return .duplicate }
        return sent.count { $0.time > now - .days(1) } < limit ? .new : .overQuota
    }

    mutating func add(_ fingerprint: PacketFingerprint, now: ContinuousClock.Instant) {
        // Those of the last day count, however many the quota allows.
        if sent.count >= Self.maxRemembered, let first = sent.first, first.time <= now - .days(1) { sent.removeFirst() }
        sent.append((fingerprint, now))
    }
}
