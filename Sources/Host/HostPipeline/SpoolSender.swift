// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import HostStore
import Logging
import PacketCoding
import Scheduling

/// Sends one destination's packets in order: at once when one is spooled, and again with growing waits while the center can't
/// be reached. A packet is removed from the spool only when the center's receipt has come.
struct SpoolSender: Sendable {
    let destination: Destination
    let store: HostStore
    let sender: any PacketSender
    let backoff: Backoff
    let log: EventLog
    let logger: Logger
    /// Signalled when a packet was spooled, and at the end.
    let wakeUp: WakeUpSignal
    /// Set when no more packets will be spooled: ``run()`` sends what it can, then ends.
    let draining: Flag

    /// Runs until it is drained or its task is cancelled.
    func run() async {
        await sender.prepare(destination)
        var retry = RetryState(backoff)
        while !Task.isCancelled {
            // Both are read before looking for a packet, so that one spooled between the look and the flag is still found.
            let seen = wakeUp.count
            let isLastLook = draining.isSet
            let outcome = await sendNext()
            switch outcome {
            case .progress:
                retry.succeeded()
            case .nothingWaits:
                retry.succeeded()
                if isLastLook { return }
                await wakeUp.wait(after: seen)
            case .stopped:
                return
            case .failed:
                let delay = retry.failed()
                // At the end an unreachable center is not waited for: the packets stay in the spool.
                if draining.isSet { return }
                await wakeUp.wait(after: seen, atMost: delay)
            }
        }
    }

    private enum Outcome {
        case progress
        case nothingWaits
        case failed
        case stopped
    }

    private func sendNext() async -> Outcome {
        var waiting: SpooledPacket?
        do {
            waiting = try await store.nextPacket(for: destination)
            guard let spooled = waiting else { return .nothingWaits }
            let receipt = try await sender.send(spooled.packet, to: destination)
            let received = EventLog.now()
            try await store.remove(spooled, nowMilliseconds: EventLog.now().milliseconds)
            var event = HostEvent(.sent, time: received, packet: spooled.packet.id)
            event.destination = destination.rawValue
            event.storedTime = EventTime(milliseconds: receipt.storedMilliseconds)
            log.append(event)
            return .progress
        } catch {
            return await handle(error, spooled: waiting)
        }
    }

    private func handle(_ error: any Error, spooled: SpooledPacket?) async -> Outcome {
        if Task.isCancelled { return .stopped }
        let reason =
            error as? EpitopeError
            ?? EpitopeError(
                .centerUnreachable, "the \(destination.rawValue) center cannot be reached: \(error)",
                remedy: "check its address and the network; packets wait in the spool and are sent when it answers")
        let failure = SendingFailure(reason)
        var event = HostEvent(failure.event, reason, time: EventLog.now(), packet: spooled?.packet.id)
        event.destination = destination.rawValue
        log.append(event)
        switch failure {
        case .temporary:
            logger.warning("a packet could not be sent and waits: \(reason)")
            return .failed
        case .hostTurnedAway:
            // That this host is not enrolled was said at the start.
            let level: Logger.Level = reason.code == .destinationUnknown ? .info : .error
            logger.log(level: level, "sending to the \(destination.rawValue) center has stopped; packets stay in the spool: \(reason)")
            return .stopped
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
