// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import HostStore
public import Logging
public import ProcessContext
public import Scheduling

/// How the pipeline makes packets, and where they go.
public struct HostPipelineSettings: Hashable, Sendable {
    /// Packets carry the caller window instead of the code. Off by default: of code a center can make better signatures.
    public var extractsSignature: Bool
    /// At least one.
    public var destinations: [Destination]
    public var backoff: Backoff
    /// The pause between attempts to reach a center that doesn't answer: from 200 ms up to a minute.
    public static let usualBackoff = Backoff(initial: .milliseconds(200), maximum: .seconds(60))
    /// How long a packet waits for the name of the program's package, once the other facts of its process are there. A
    /// system's lists take longer to search than a packet should wait; what comes later is in the next packet.
    public var maxPackageWait: Duration = .milliseconds(5)
    /// How long the pipeline may take to send packets after the calls have ended. The others stay in the spool.
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

/// Takes a detection to a center: complete its parameters, make the packet, admit it by novelty and quota, spool it, send it.
///
/// A packet is sent only after its commit to the spool. Sending it during the commit would save the time of the disk's sync,
/// but a crash between the two would leave a packet at the center that the host has neither counted nor remembered: it would
/// report the same attack again, beyond its quota.
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

    /// Runs until the reports end, then sends what it can within the drain time and returns. Packets of an earlier run that still
    /// wait are sent too. Cancelling the task ends it at once; spooled packets stay in the spool.
    ///
    /// A report is acknowledged once its packet is in the spool, or can't be. If this process is killed, a backend that keeps
    /// reports until then makes the unacknowledged ones again.
    ///
    /// - Parameter likely: a process that is likely to be in the first report: what a packet says of its program is found out
    ///   beforehand.
    public func run(_ reports: some AsyncSequence<DetectionReport, Never> & Sendable, likely processID: Int32? = nil) async {
        let draining = Flag()
        let wakeUps = Dictionary(uniqueKeysWithValues: Set(settings.destinations).map { ($0, WakeUpSignal()) })
        await withTaskGroup(of: DrainEvent.self) { group in
            for (destination, wakeUp) in wakeUps {
                let sending = SpoolSender(
                    destination: destination, store: store, sender: sender, backoff: settings.backoff, log: log, logger: logger,
                    wakeUp: wakeUp, draining: draining)
                group.addTask {
                    await sending.run()
                    return .senderEnded
                }
            }
            let warming = Task { [parameters] in
                Rehearsal.run()
                if let processID { await parameters.warmUp(forProcess: processID) }
            }
            for await report in reports {
                let isSpooled = await spool(report.detection)
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
    private func finish(_ group: inout TaskGroup<DrainEvent>) async {
        let drainTime = settings.drainTime
        group.addTask {
            try? await Task.sleep(for: drainTime)
            return .timeIsOver
        }
        var senders = Set(settings.destinations).count
        while senders > 0, let event = await group.next() {
            switch event {
            case .senderEnded: senders -= 1
            case .timeIsOver: group.cancelAll()
            }
        }
        group.cancelAll()
    }

    private enum DrainEvent {
        case senderEnded
        case timeIsOver
    }

    /// Makes a detection's packet and spools it.
    ///
    /// - Returns: whether the packet was admitted and waits in the spool.
    private func spool(_ detection: Detection) async -> Bool {
        log.append(HostEvent(detection, time: EventLog.now()))
        var id: String?
        do throws(EpitopeError) {
            let (process, system) = await parameters.enrich(
                detection.process, maxPackageSeconds: settings.maxPackageWait / .seconds(1))
            let packet = try ExtractedPacket(detection, process: process, system: system, asSignature: settings.extractsSignature)
            id = packet.id
            log.append(HostEvent(packet: packet.id, of: detection, process: process, time: EventLog.now()))
            let admission = try await store.admit(packet, to: settings.destinations, nowMilliseconds: EventLog.now().milliseconds)
            return record(admission, of: packet.id)
        } catch {
            log.append(HostEvent(.failed, error, time: EventLog.now(), packet: id))
            logger.error("the packet of a detection could not be stored: \(error)")
            return false
        }
    }

    /// Logs what became of a packet.
    ///
    /// - Returns: whether it was admitted.
    private func record(_ admission: Admission, of id: String) -> Bool {
        var event = HostEvent(.spooled, time: EventLog.now(), packet: id)
        switch admission {
        case .accepted:
            break
        case .duplicate(let first):
            event.event = .duplicate
            event.of = first
        case .overQuota(let next):
            event.event = .overQuota
            event.message = next.map { "the next packet is possible at \(EventTime(milliseconds: $0).toTheSecond)" } ?? "it is 0"
        case .spoolFull(let waiting):
            event.event = .spoolFull
            event.code = EpitopeError.Code.spoolFull.rawValue
            event.message = "\(waiting) packets wait for their center; this one was not spooled"
            logger.error(
                "\(EpitopeError(.spoolFull, "the spool is full: \(waiting) packets wait for their center, a new one was not spooled", remedy: "check the host's connection to its center"))"
            )
        }
        log.append(event)
        return admission == .accepted
    }
}
