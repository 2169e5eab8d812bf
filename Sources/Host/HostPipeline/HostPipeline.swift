// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import HostStore
public import Logging
public import ProcessContext
public import Scheduling

/// How the pipeline makes packets, and where they go.
public struct HostPipelineSettings: Hashable, Sendable {
    /// Packets carry the caller window instead of the code (off by default, DESIGN.md).
    public var extractsSignature: Bool
    /// At least one.
    public var destinations: [Destination]
    public var backoff: Backoff
    /// Between attempts to reach a center that doesn't answer: from 200 ms up to a minute.
    public static let usualBackoff = Backoff(initial: .milliseconds(200), maximum: .seconds(60))
    /// The longest that the end may wait for packets to be sent; what is left stays in the spool.
    public var drainTime: Duration

    public init(
        extractsSignature: Bool = false, destinations: [Destination] = [.local], backoff: Backoff = HostPipelineSettings.usualBackoff,
        drainTime: Duration = .seconds(5)
    ) {
        self.extractsSignature = extractsSignature
        self.destinations = destinations
        self.backoff = backoff
        self.drainTime = drainTime
    }
}

/// From a stalled call to a packet in a center: parameters completed, packet made, held against what was seen and
/// against the quota, put in the spool, sent.
///
/// A packet is sent only after its commit to the spool. Sending it while the commit is under way would hide the
/// disk's sync from the time to the center, but a crash between the two would leave a packet at the center that the
/// host has neither counted nor remembered: it would report the same attack again, beyond its quota.
public final class HostPipeline: Sendable {
    private let settings: HostPipelineSettings
    private let parameters: ProcessContextCollector
    private let store: HostStore
    private let sender: any PacketSender
    private let log: EventLog
    private let logger: Logger

    public init(
        settings: HostPipelineSettings = HostPipelineSettings(), parameters: ProcessContextCollector, store: HostStore,
        sender: any PacketSender, log: EventLog, logger: Logger
    ) {
        self.settings = settings
        self.parameters = parameters
        self.store = store
        self.sender = sender
        self.log = log
        self.logger = logger
    }

    /// Works until the calls end, then sends what it can within the drain time and returns. Packets that waited from
    /// an earlier run are sent too. Cancelling the task ends it at once; what was spooled stays.
    ///
    /// A report is acknowledged once its packet is in the spool, or can't be: a backend that keeps reports until then makes the others
    /// again if this process is killed.
    public func run(_ reports: some AsyncSequence<DetectionReport, Never> & Sendable) async {
        let draining = Flag()
        let wakeUps = Dictionary(uniqueKeysWithValues: Set(settings.destinations).map { ($0, WakeUpSignal()) })
        await withTaskGroup(of: Ending.self) { group in
            for (destination, wakeUp) in wakeUps {
                let sending = SpoolSender(
                    destination: destination, store: store, sender: sender, backoff: settings.backoff, log: log, logger: logger,
                    wakeUp: wakeUp, draining: draining)
                group.addTask {
                    await sending.run()
                    return .senderEnded
                }
            }
            let warming = Task { [parameters] in await parameters.warmUp() }
            for await report in reports {
                let isSpooled = await self.report(report.detection)
                report.acknowledge()
                guard isSpooled else { continue }
                for wakeUp in wakeUps.values { wakeUp.send() }
            }
            await warming.value
            draining.set()
            for wakeUp in wakeUps.values { wakeUp.send() }
            await finish(&group)
        }
    }

    /// Waits for the senders, and cancels them when the drain time is over.
    private func finish(_ group: inout TaskGroup<Ending>) async {
        let drainTime = settings.drainTime
        group.addTask {
            try? await Task.sleep(for: drainTime)
            return .timeIsOver
        }
        var senders = Set(settings.destinations).count
        while senders > 0, let ending = await group.next() {
            switch ending {
            case .senderEnded: senders -= 1
            case .timeIsOver: group.cancelAll()
            }
        }
        group.cancelAll()
    }

    private enum Ending {
        case senderEnded
        case timeIsOver
    }

    /// Brings one call to the spool. Whether a packet waits there now.
    private func report(_ call: Detection) async -> Bool {
        var blocked = HostEvent(.blocked, time: EventLog.now())
        blocked.stalledTime = call.timeMilliseconds
        blocked.action = call.action.rawValue
        blocked.call = call.call.rawValue
        blocked.processID = call.process.processID
        blocked.container = call.process.containerID ?? call.process.container?.name
        blocked.callersAddress = "0x" + String(call.callersAddress, radix: 16)
        log.append(blocked)
        var id: String?
        do throws(EpitopeError) {
            let (process, system) = await parameters.complete(call.process)
            let packet = try ExtractedPacket(call, process: process, system: system, asSignature: settings.extractsSignature)
            id = packet.id
            var made = HostEvent(.packetMade, time: EventLog.now(), packet: packet.id)
            made.stalledTime = call.timeMilliseconds
            log.append(made)
            let admission = try await store.admit(packet, to: settings.destinations, nowMilliseconds: Int64(EventLog.now()))
            return note(admission, packet.id)
        } catch {
            var failed = HostEvent(.failed, time: EventLog.now(), packet: id)
            failed.code = error.code.rawValue
            failed.message = error.message
            log.append(failed)
            logger.error("a call was answered, but its packet could not be stored: \(error)")
            return false
        }
    }

    private func note(_ admission: Admission, _ id: String) -> Bool {
        var event = HostEvent(.spooled, time: EventLog.now(), packet: id)
        switch admission {
        case .accepted:
            break
        case .duplicate(let first):
            event.event = .duplicate
            event.of = first
        case .overQuota:
            event.event = .overQuota
        case .spoolFull(let waiting):
            event.event = .spoolFull
            event.code = EpitopeError.Code.spoolFull.rawValue
            event.message = "\(waiting) packets wait for their center; this one was not taken"
            logger.error(
                "\(EpitopeError(.spoolFull, "\(waiting) packets wait for their center, a new one was not taken", remedy: "let the host reach its center"))"
            )
        }
        log.append(event)
        return admission == .accepted
    }
}
