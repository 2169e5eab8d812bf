// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import HostStore
import Logging
import PacketCoding
import Scheduling

/// What wakes a sender.
struct SenderSignals: Sendable {
    /// A packet was spooled.
    let spooled = WakeUpSignal()
    /// A packet could not be spooled.
    let unstored = WakeUpSignal()
    /// This host's identity at the center has changed.
    let identity = WakeUpSignal()

    func sendAll() {
        spooled.send()
        unstored.send()
        identity.send()
    }
}

/// Sends one destination's packets in order: at once when one is spooled, and again with growing waits while the center can't
/// be reached or turns the host away. It never gives up. A packet is removed from the spool only when the center's receipt has
/// come.
struct SpoolSender: Sendable {
    let destination: Destination
    let store: HostStore
    let sender: any PacketSender
    let backoff: Backoff
    let log: EventLog
    let logger: Logger
    /// All are signalled at the end.
    let signals: SenderSignals
    /// Set when no more packets will be spooled: ``run()`` sends what it can, then ends.
    let draining: Flag
    let tallies: TallyBook

    /// A center that turns the host away is asked again after a minute, and at last every half an hour to an hour.
    static let turnedAwayBackoff = Backoff(initial: .seconds(60), maximum: .hours(1))

    /// Runs until it is drained or its task is cancelled.
    func run() async {
        await sender.prepare(destination)
        var retry = RetryState(backoff)
        var turnedAway = RetryState(Self.turnedAwayBackoff)
        var news = FailureNews()
        while !Task.isCancelled {
            // All are read before looking for a packet, so that one spooled between the look and the flag is still found.
            let seen = signals.spooled.count
            let identitySeen = signals.identity.count
            let isLastLook = draining.isSet
            let outcome = await sendNext(&news)
            switch outcome {
            case .progress, .nothingWaits:
                retry.succeeded()
                turnedAway.succeeded()
                guard outcome == .nothingWaits else { continue }
                if isLastLook { return }
                await signals.spooled.wait(after: seen)
            case .turnedAway:
                let delay = turnedAway.failed()
                if draining.isSet { return }
                // More packets change nothing about it.
                await signals.identity.wait(after: identitySeen, atMost: delay)
                if draining.isSet { return }
            case .toldToWait(let least):
                let delay = retry.failed(atLeast: least)
                if draining.isSet { return }
                // Neither a packet more nor its own impatience brings it back earlier: the center said when.
                await signals.identity.wait(after: identitySeen, atMost: delay)
                if draining.isSet { return }
            case .failed:
                let delay = retry.failed()
                // At the end an unreachable center is not waited for: the packets stay in the spool.
                if draining.isSet { return }
                await signals.spooled.wait(after: seen, atMost: delay)
            }
        }
    }

    private enum Outcome: Equatable {
        case progress
        case nothingWaits
        case failed
        /// The center is busy and said when to come back, at the earliest.
        case toldToWait(Duration)
        case turnedAway
    }

    private func sendNext(_ news: inout FailureNews) async -> Outcome {
        var waiting: SpooledPacket?
        do {
            waiting = try await store.nextPacket(for: destination)
            guard let spooled = waiting else { return .nothingWaits }
            let receipt = try await sender.send(spooled.packet, to: destination)
            let received = EventLog.now()
            try await store.remove(spooled, nowMilliseconds: EventLog.now().milliseconds)
            log.append(HostEvent(sent: spooled.packet.id, to: destination, receipt, time: received))
            news.recovered()
            tallies.update {
                $0.sent += 1
                $0.sendingFailure = nil
            }
            return .progress
        } catch {
            return await handle(error, spooled: waiting, &news)
        }
    }

    private func handle(_ error: any Error, spooled: SpooledPacket?, _ news: inout FailureNews) async -> Outcome {
        if Task.isCancelled { return .failed }
        let reason =
            error as? EpitopeError
            ?? EpitopeError(
                .centerUnreachable, "the \(destination.rawValue) center cannot be reached: \(error)",
                remedy: "check its address and the network; packets wait in the spool and are sent when it answers")
        let failure = SendingFailure(reason)
        tallies.update { $0.sendingFailure = reason }
        // What lasts is told once a day, not with each attempt.
        let isNews = failure == .packetRefused || news.isNews(reason, nowMilliseconds: EventLog.now().milliseconds)
        if isNews {
            var event = HostEvent(failure.event, reason, time: EventLog.now(), packet: spooled?.packet.id)
            event.destination = destination.rawValue
            log.append(event)
        }
        switch failure {
        case .temporary:
            if isNews { logger.warning("a packet could not be sent and waits: \(reason)") }
            return reason.retryAfterSeconds.map { .toldToWait(.seconds($0)) } ?? .failed
        case .hostTurnedAway:
            if isNews {
                // That this host is not enrolled was said at the start, and nobody has turned it away.
                guard reason.code != .destinationUnknown else { return .turnedAway }
                logger.error(
                    "the \(destination.rawValue) center turns this host away; packets stay in the spool, and it is asked again: \(reason)")
            }
            return .turnedAway
        case .packetRefused:
            logger.error("packet \(spooled?.packet.id ?? "") was refused and is set aside: \(reason)")
            guard let spooled else { return .failed }
            do {
                try await store.setAside(spooled, because: reason, nowMilliseconds: EventLog.now().milliseconds)
                return .progress
            } catch {
                logger.error("\(error)")
                return .failed
            }
        }
    }
}

extension SendingFailure {
    fileprivate var event: HostEvent.Name {
        switch self {
        case .packetRefused: .refused
        case .hostTurnedAway: .stopped
        case .temporary: .unreachable
        }
    }
}

extension HostEvent {
    /// A packet is stored at a center.
    init(sent packet: String, to destination: Destination, _ receipt: Receipt, time: EventTime) {
        self.init(.sent, time: time, packet: packet)
        self.destination = destination.rawValue
        storedTime = EventTime(milliseconds: receipt.storedMilliseconds)
    }
}
