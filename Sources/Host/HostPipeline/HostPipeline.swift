// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import HostStore
public import Logging
import Novelty
public import ProcessContext
public import Scheduling
public import Signatures
import Synchronization

/// How the pipeline makes packets, and where they go.
public struct HostPipelineSettings: Hashable, Sendable {
    /// Packets carry the caller window instead of the code. Off by default: of code a center can make better signatures.
    public var extractsSignature: Bool
    /// The size of that window in bytes (``Signatures/CallerWindow/lengths``).
    public var signatureBytes: Int
    /// How the bytes of such a signature are chosen, and of the one that goes where the link's budget has no room for more.
    public var signature: HostSignature
    /// Where code is taken out of regions and such a signature is chosen.
    public var extractAt: ExtractionPlace
    /// At least one.
    public var destinations: [Destination]
    public var backoff: Backoff
    /// The pause between attempts to reach a center that doesn't answer: from 200 ms up to a minute.
    public static let usualBackoff = Backoff(initial: .milliseconds(200), maximum: .seconds(60))
    /// How long a packet waits for the name of the program's package, once the other facts of its process are there. A
    /// system's lists take longer to search than a packet should wait; what comes later is an event of its own, and in the next packet.
    public var maxPackageWait: Duration = .milliseconds(5)
    /// How long the pipeline may take to send packets after the calls have ended. The others stay in the spool.
    public var drainTime: Duration
    /// How often it looks at what waits for the quota, at what could not be stored, and at what was not reported.
    public var upkeepInterval: Duration

    public init(
        extractsSignature: Bool = false, signatureBytes: Int = CallerWindow.length, signature: HostSignature = .caller,
        extractAt: ExtractionPlace = .auto, destinations: [Destination] = [.local],
        backoff: Backoff = HostPipelineSettings.usualBackoff,
        drainTime: Duration = .seconds(5), upkeepInterval: Duration = .seconds(10)
    ) {
        self.extractsSignature = extractsSignature
        self.signatureBytes = signatureBytes
        self.signature = signature
        self.extractAt = extractAt
        self.destinations = destinations
        self.backoff = backoff
        self.drainTime = drainTime
        self.upkeepInterval = upkeepInterval
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
    private let packetForm: PacketFormChoice
    private let wakeUps: [Destination: SenderSignals]
    private let tallies = TallyBook()
    private let backlog = PacketBacklogBook()
    private let packageNames = PackageNames()
    private let storeNews = Mutex(FailureNews())
    private let unreportedSeen = Mutex(UnreportedCounts())

    public init(
        settings: HostPipelineSettings = HostPipelineSettings(), parameters: ProcessContextCollector, store: HostStore,
        sender: any PacketSender, log: EventLog, logger: Logger, absentWindows: AbsentWindows? = nil
    ) {
        packetForm = PacketFormChoice(settings, hasLinkBudget: !store.settings.link.isUnlimited, absentWindows: absentWindows)
        self.settings = settings
        self.parameters = parameters
        self.store = store
        self.sender = sender
        self.log = log
        self.logger = logger
        wakeUps = Dictionary(uniqueKeysWithValues: Set(settings.destinations).map { ($0, SenderSignals()) })
    }

    /// What became of the reports so far.
    public var tally: ReportTally { tallies.current }

    /// This host's identity at a center has changed: what the center refused to the old one is tried again at once.
    public func identityChanged(at destination: Destination) {
        // Whether it fails still, the next attempt shows.
        tallies.update { $0.sendingFailure = nil }
        wakeUps[destination]?.identity.send()
    }

    /// Runs until the reports end, then sends what it can within the drain time and returns. Packets of an earlier run that still
    /// wait are sent too. Cancelling the task ends it at once; spooled packets stay in the spool.
    ///
    /// A report is acknowledged once its packet is in the spool, or can't be. If this process is killed, a backend that keeps
    /// reports until then makes the unacknowledged ones again.
    ///
    /// - Parameters:
    ///   - likely: a process that is likely to be in the first report: what a packet says of its program is found out
    ///     beforehand.
    ///   - unreported: the backend's counts of reports that it did not make.
    public func run(
        _ reports: some AsyncSequence<DetectionReport, Never> & Sendable, likely processID: Int32? = nil,
        unreported: @escaping @Sendable () -> UnreportedCounts = { UnreportedCounts() }
    ) async {
        let draining = Flag()
        await withTaskGroup(of: DrainEvent.self) { group in
            for (destination, signals) in wakeUps {
                let sending = SpoolSender(
                    destination: destination, store: store, sender: sender, backoff: settings.backoff, log: log, logger: logger,
                    signals: signals, draining: draining, tallies: tallies)
                group.addTask {
                    await sending.run()
                    return .partEnded
                }
                let unstored = UnstoredSender(
                    destination: destination, store: store, sender: sender, backoff: settings.backoff, log: log, logger: logger,
                    signals: signals, draining: draining, tallies: tallies, backlog: backlog)
                group.addTask {
                    await unstored.run()
                    return .partEnded
                }
            }
            let upkeep = Task { await self.upkeep(unreported) }
            let warming = Task { [parameters, store] in
                await store.prepare()
                Rehearsal.run()
                if let processID { await parameters.warmUp(forProcess: processID) }
            }
            for await report in reports {
                await spool(report.detection)
                report.acknowledge()
            }
            await warming.value
            upkeep.cancel()
            await upkeep.value
            await lookAfter(unreported)
            draining.set()
            for signals in wakeUps.values { signals.sendAll() }
            group.addTask {
                await self.tellCounts()
                return .partEnded
            }
            group.addTask {
                await self.packageNames.allCame()
                return .partEnded
            }
            await finish(&group, parts: 2 * wakeUps.count + 2)
        }
        await giveUpBacklog()
    }

    /// Waits for the senders, and cancels them when the drain time is over.
    private func finish(_ group: inout TaskGroup<DrainEvent>, parts: Int) async {
        let drainTime = settings.drainTime
        group.addTask {
            try? await Task.sleep(for: drainTime)
            return .timeIsOver
        }
        var parts = parts
        while parts > 0, let event = await group.next() {
            switch event {
            case .partEnded: parts -= 1
            case .timeIsOver: group.cancelAll()
            }
        }
        group.cancelAll()
    }

    private enum DrainEvent {
        case partEnded
        case timeIsOver
    }

    private func wake() {
        for signals in wakeUps.values { signals.spooled.send() }
    }
}

/// From a detection to the spool.
extension HostPipeline {
    /// Makes a detection's packet and spools it. What the log and its reader are told of it is written beside that: a packet waits
    /// for none of it.
    private func spool(_ detection: Detection) async {
        tallies.update { $0.reports += 1 }
        let made: MadePacket
        do throws(EpitopeError) {
            made = try await make(detection)
        } catch {
            return note(error, of: nil)
        }
        let packet = made.packet
        async let isLogged: Void = log.append(made.event)
        let round: Result<QuotaRound, EpitopeError>
        do throws(EpitopeError) {
            round = .success(try await admit(packet))
        } catch {
            round = .failure(error)
        }
        await isLogged
        if let late = made.latePackage { packageNames.add(late, of: made.process, packet: packet.id, to: log) }
        do throws(EpitopeError) {
            record(try round.get(), of: packet.id)
            // There is room again.
            await storeBacklog()
        } catch {
            note(error, of: packet.id)
            if backlog.packets.withLock({ $0.add(packet) }) { await noteLost(1) }
            for signals in wakeUps.values { signals.unstored.send() }
        }
    }

    /// A detection's packet.
    private struct MadePacket {
        var packet: ExtractedPacket
        var process: ProcessParameters
        var event: HostEvent
        var latePackage: ProcessContextCollector.LatePackage?
    }

    private func make(_ detection: Detection) async throws(EpitopeError) -> MadePacket {
        async let isLogged: Void = log.append(HostEvent(detection, time: EventLog.now()))
        let enriched = await parameters.enrich(detection.process, maxPackageSeconds: settings.maxPackageWait / .seconds(1))
        await isLogged
        let form = await packetForm.choose(for: detection, images: enriched.images)
        if form.isSecondBest { tallies.update { $0.notUnique += 1 } }
        let packet = try ExtractedPacket(detection, process: enriched.process, system: enriched.system, form: form)
        if let reason = form.leftToCenter {
            var event = HostEvent(.leftToCenter, time: EventLog.now(), packet: packet.id)
            event.message = reason
            log.append(event)
        }
        var event = HostEvent(packet: packet.id, of: detection, process: enriched.process, time: EventLog.now())
        if case .signature(let bytes) = packet.content { event.signatureBytes = bytes.count }
        return MadePacket(packet: packet, process: enriched.process, event: event, latePackage: enriched.latePackage)
    }

    /// Admits a packet. Those that are in the spool now are sent from here on.
    private func admit(_ packet: ExtractedPacket) async throws(EpitopeError) -> QuotaRound {
        let round = try await store.round(
            admitting: packet, to: settings.destinations, nowMilliseconds: EventLog.now().milliseconds)
        if round.admission == .accepted || !round.released.isEmpty { wake() }
        storeWorks()
        return round
    }

    private func note(_ error: EpitopeError, of id: String?) {
        tallies.update { $0.failed += 1 }
        log.append(HostEvent(.failed, error, time: EventLog.now(), packet: id))
        guard id != nil else { return logger.error("the packet of a detection could not be made: \(error)") }
        tallies.update { $0.storeFailure = error }
        if storeNews.withLock({ $0.isNews(error, nowMilliseconds: EventLog.now().milliseconds) }) {
            logger.error("the packet of a detection could not be stored; it is kept in memory, sent from there, and tried again: \(error)")
        }
    }

    private func storeWorks() {
        tallies.update { $0.storeFailure = nil }
        storeNews.withLock { $0.recovered() }
    }

    /// Logs what became of a packet, and of those that waited for the quota.
    private func record(_ round: QuotaRound, of id: String) {
        var event = HostEvent(.spooled, time: EventLog.now(), packet: id)
        switch round.admission {
        case .accepted, nil:
            tallies.update { $0.spooled += 1 }
        case .duplicate(let first):
            tallies.update { $0.duplicates += 1 }
            event.event = .duplicate
            event.of = first
        case .overQuota(let next):
            tallies.update { $0.overQuota += 1 }
            event.event = .overQuota
            event.untilTime = next.map { EventTime(milliseconds: $0) }
            event.message = next.map { "it waits, and is sent at \(EventTime(milliseconds: $0).toTheSecond)" } ?? "it is 0"
        case .givenUp(let next):
            tallies.update { $0.givenUp += 1 }
            event.event = .givenUp
            event.untilTime = next.map { EventTime(milliseconds: $0) }
            event.count = 1
        case .spoolFull(let waiting):
            tallies.update { $0.spoolFull += 1 }
            event.event = .spoolFull
            event.code = EpitopeError.Code.spoolFull.rawValue
            event.message = "\(waiting) packets wait for their center; this one was not spooled"
            logger.error(
                "\(EpitopeError(.spoolFull, "the spool is full: \(waiting) packets wait for their center, a new one was not spooled", remedy: "check the host's connection to its center"))"
            )
        }
        recordReduced(round)
        log.append(event)
        recordReleased(round)
    }

    /// Logs what went smaller than it was.
    private func recordReduced(_ round: QuotaRound) {
        for (id, form) in round.reduced {
            var event = HostEvent(.reduced, time: EventLog.now(), packet: id)
            switch form {
            case .asItIs: continue
            case .snippet(let side): event.message = "at most \(side) bytes of its code on each side of the caller's address go"
            case .signature: event.message = "its signature goes, and none of its code"
            }
            tallies.update { $0.reduced += 1 }
            log.append(event)
        }
    }

    private func recordReleased(_ round: QuotaRound) {
        for id in round.released { log.append(HostEvent(.spooled, time: EventLog.now(), packet: id)) }
        tallies.update {
            $0.spooled += round.released.count
            $0.givenUp += round.displaced
            $0.quotaFreesMilliseconds = round.nextMilliseconds
        }
        guard round.displaced > 0 else { return }
        var event = HostEvent(.givenUp, time: EventLog.now())
        event.count = round.displaced
        log.append(event)
    }
}

/// What is looked after while reports come, and when none come.
extension HostPipeline {
    private func upkeep(_ unreported: @escaping @Sendable () -> UnreportedCounts) async {
        var told = RetryState(Self.tellingRetries)
        while !Task.isCancelled {
            // The end cancels the wait, never what is being stored: that would be a failure, and counts would be lost.
            await Task { await lookAfter(unreported) }.value
            try? await Task.sleep(for: settings.upkeepInterval)
            // Not before: the first reports may be on their way, and a center is told at most once an hour. The end is told
            // by ``run(_:likely:unreported:)``.
            guard !Task.isCancelled, told.remaining == nil else { continue }
            if await tellCounts() { told.succeeded() } else { told.failed() }
        }
    }

    /// Between attempts to tell a center what was withheld.
    private static let tellingRetries = Backoff(initial: .seconds(60), maximum: .hours(1))

    private func lookAfter(_ unreported: @Sendable () -> UnreportedCounts) async {
        await countUnreported(unreported())
        await storeBacklog()
        do throws(EpitopeError) {
            let round = try await store.release(nowMilliseconds: EventLog.now().milliseconds)
            if !round.released.isEmpty { wake() }
            storeWorks()
            recordReduced(round)
            recordReleased(round)
        } catch {
            tallies.update { $0.storeFailure = error }
            if storeNews.withLock({ $0.isNews(error, nowMilliseconds: EventLog.now().milliseconds) }) {
                logger.error("the host's store can't be used, calls are answered all the same: \(error)")
            }
        }
    }

    /// Counts what the backend did not report since the last look.
    private func countUnreported(_ counts: UnreportedCounts) async {
        let before = unreportedSeen.withLock { seen in
            defer { seen = counts }
            return seen
        }
        let new = counts - before
        let (suppressed, lost) = (Int(clamping: new.suppressed), Int(clamping: new.lost))
        if suppressed > 0 {
            var event = HostEvent(.suppressed, time: EventLog.now())
            event.count = suppressed
            log.append(event)
            tallies.update { $0.suppressed += suppressed }
            try? await store.countUnreported(suppressed: suppressed, lost: 0, nowMilliseconds: EventLog.now().milliseconds)
        }
        if lost > 0 { await noteLost(lost) }
    }

    private func noteLost(_ count: Int) async {
        var event = HostEvent(.lost, time: EventLog.now())
        event.count = count
        log.append(event)
        tallies.update { $0.lost += count }
        try? await store.countUnreported(suppressed: 0, lost: count, nowMilliseconds: EventLog.now().milliseconds)
    }

    /// Stores the packets that could not be stored before.
    private func storeBacklog() async {
        for packet in backlog.packets.withLock({ $0.takeAll() }) {
            do throws(EpitopeError) {
                record(try await admit(packet), of: packet.id)
            } catch {
                tallies.update { $0.storeFailure = error }
                if backlog.packets.withLock({ $0.add(packet) }) { await noteLost(1) }
            }
        }
    }

    /// What could neither be stored nor sent until the end is lost.
    private func giveUpBacklog() async {
        let destinations = Array(wakeUps.keys)
        let lost = backlog.packets.withLock { backlog in
            backlog.takeAll().count { !backlog.isSettled($0.id, at: destinations) }
        }
        guard lost > 0 else { return }
        await noteLost(lost)
        logger.error("\(lost) packet\(lost == 1 ? "" : "s") could be neither stored nor sent, and \(lost == 1 ? "is" : "are") lost")
    }

    /// Tells each center what was withheld, if that has changed.
    ///
    /// - Returns: whether all know.
    @discardableResult
    private func tellCounts() async -> Bool {
        var isKnown = true
        for destination in wakeUps.keys {
            do {
                let now = EventLog.now().milliseconds
                guard let counts = try await store.withheldToTell(destination, nowMilliseconds: now) else { continue }
                do {
                    try await sender.report(counts, to: destination)
                    var event = HostEvent(.toldCounts, time: EventLog.now())
                    event.destination = destination.rawValue
                    event.message = counts.summary
                    log.append(event)
                } catch let error as EpitopeError where error.code == .notServedHere {
                    // A center of an earlier version takes no counts.
                }
                try await store.noteTold(counts, destination, nowMilliseconds: now)
            } catch {
                isKnown = false
            }
        }
        return isKnown
    }
}
