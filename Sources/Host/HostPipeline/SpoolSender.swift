// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import HostStore
import Logging
import PacketCoding
import Scheduling

/// Sends one destination's packets in their order: at once when one comes, again with growing waits while the center
/// can't be reached. A packet leaves the spool only on the center's receipt.
struct SpoolSender: Sendable {
    let destination: Destination
    let store: HostStore
    let sender: any PacketSender
    let backoff: Backoff
    let log: EventLog
    let logger: Logger
    /// Signalled when a packet was spooled, and at the end.
    let wakeUp: WakeUpSignal
    /// Set when no more packets will come: what can be sent is sent, then ``run()`` ends.
    let draining: Flag

    /// Runs until it is drained or its task is cancelled.
    func run() async {
        await sender.prepare(destination)
        var retry = RetryState(backoff)
        while !Task.isCancelled {
            // Both read before looking: what was spooled between a look and the flag is then looked for once more.
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
                // At the end a center that can't be reached is not waited for: the spool keeps what waits.
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
            // A packet that this program can't read came from a later version of it, or was damaged: a center gets none.
            let packet = try ExtractedPacket(encoded: spooled.encoded)
            let receipt = try await sender.send(packet, to: destination)
            let received = EventLog.now()
            guard receipt.id == spooled.packetID else {
                throw EpitopeError(
                    EpitopeError.Code("answer-malformed"), "the center gave a receipt for another packet",
                    remedy: "check that the center's address leads to a center of Epitope")
            }
            try await store.remove(spooled, nowMilliseconds: Int64(EventLog.now()))
            var event = HostEvent(.sent, time: received, packet: spooled.packetID)
            event.destination = destination.rawValue
            event.storedTime = receipt.storedMilliseconds
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
                EpitopeError.Code("center-unreachable"), "the \(destination.rawValue) center could not be reached: \(error)",
                remedy: "check its address and the network; packets wait and are sent when it answers")
        let failure = SendingFailure(reason.code)
        var event = HostEvent(failure.event, time: EventLog.now(), packet: spooled?.packetID)
        event.destination = destination.rawValue
        event.code = reason.code.rawValue
        event.message = reason.message
        log.append(event)
        switch failure {
        case .temporary:
            logger.warning("a packet waits: \(reason)")
            return .failed
        case .hostTurnedAway:
            logger.error("sending to the \(destination.rawValue) center has stopped, packets are kept: \(reason)")
            return .stopped
        case .packetRefused:
            logger.error("packet \(spooled?.packetID ?? "") was refused and is kept aside: \(reason)")
            guard let spooled else { return .failed }
            do {
                try await store.refuse(spooled, because: reason, nowMilliseconds: Int64(EventLog.now()))
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
