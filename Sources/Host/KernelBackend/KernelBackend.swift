// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking
import CKernelProgram
public import EpitopeModel
import Foundation
import ProcessInspection
import Synchronization

/// Behaviour blocking by eBPF, for every process of the machine.
///
/// Needs Linux 5.17 with type information, and root. Where the kernel runs BPF LSM, or lets the result of its security functions be decided, calls are
/// denied (``ProtectionLevel``); elsewhere their process is held and killed right after the call. The kernel program judges alone: protection doesn't
/// wait for this process, and a reader that is slow loses reports (counted), never a denial.
public final class KernelBackend: BehaviourBlockingBackend {
    /// What is counted from the start on.
    public struct Statistics: Hashable, Sendable {
        /// Critical calls of processes that hold, or held, unbacked executable memory.
        public var inspected: UInt64 = 0
        /// Reports made; each process and caller's address once.
        public var reported: UInt64 = 0
        public var repeated: UInt64 = 0
        /// Reports for which the ring buffer had no room.
        public var dropped: UInt64 = 0
        /// Calls denied, or answered with a signal.
        public var actedUpon: UInt64 = 0
        /// Calls that could not be inspected: the address space was busy, or there was no room to work in.
        public var uninspectable: UInt64 = 0
        /// Calls that a thread of the kernel's made for a ring, where nobody is known to have handed the request over.
        public var unattributable: UInt64 = 0
        public var excluded: UInt64 = 0
        /// Processes marked since the start.
        public var marked: UInt64 = 0
        /// There was no place for a mark: every process is inspected since.
        public var marksAreFull = false
    }

    /// Something that a person should know, though it is no report.
    public enum Notice: Hashable, Sendable, CustomStringConvertible {
        case uninspectable(call: CriticalCall, processID: Int32, name: String, wasDenied: Bool)
        case unattributable(call: CriticalCall, processID: Int32, name: String, wasDenied: Bool)
        case signalFailed(processID: Int32)
        /// An earlier agent, of a version that means something else by an event's bytes, left reports that nobody read.
        case unreadable(reports: Int)
        /// What an earlier agent left can't be taken away. Its program judges no more.
        case leftOver(reason: String)

        public var description: String {
            switch self {
            case .uninspectable(let call, let process, let name, let wasDenied):
                "\(call.rawValue) of process \(process) (\(name)) was \(wasDenied ? "denied" : "let through"): "
                    + "it could not be inspected"
            case .unattributable(let call, let process, let name, let wasDenied):
                "\(call.rawValue) of process \(process) (\(name)) was \(wasDenied ? "denied" : "let through"): "
                    + "an io_uring worker made it, for a process with unbacked executable memory"
            case .signalFailed(let process):
                "process \(process) could not be signalled: it has gone"
            case .unreadable(let reports):
                "\(reports) reports that an earlier version of the agent left can't be read by this one: they are lost"
            case .leftOver(let reason):
                "\(reason). It judges no more, but stays attached"
            }
        }
    }

    /// How many notices wait for a reader. When there are more, the newest are dropped.
    public static let bufferedNotices = 256

    public let level: ProtectionLevel
    /// Whoever asks for the next call has done with the one before: what is not, when this process is killed, the next agent
    /// reports again.
    public var detections: AsyncStream<Detection> { calls.stream }
    public let notices: AsyncStream<Notice>
    /// Ends when nothing more is read: another agent may begin to.
    public let reading: AsyncStream<Never>

    private let program: LoadedProgram
    private let isHeld: Bool
    private let bounded = BoundedWork()
    private let ring: Mutex<EventRing>
    private let policy: Mutex<Policy>
    private let exclusions = Mutex(ExclusionEntries())
    private let processParameters: @Sendable (Int32, Int32) -> ProcessParameters
    private let calls = AcknowledgedCallStream()
    private let noticesEnd: AsyncStream<Notice>.Continuation
    private let readingEnd: AsyncStream<Never>.Continuation
    private let ending = Mutex<Ending?>(nil)
    private let copies = Mutex(SealedCopyCache())
    private let turns = Atomic<UInt64>(0)

    /// What becomes of protection when this process reads no more.
    public enum Ending: Hashable, Sendable {
        case withProtection
        /// It stays in force until another agent takes it over, or it is released (``PinnedProgram``). Where it is held
        /// nowhere, it ends.
        case leavingProtection
    }

    /// Loads the kernel program, attaches it, and marks what came before it.
    ///
    /// - Parameters:
    ///   - exclusions: who is excluded; ``set(_:)-(ExclusionTable)`` puts others in force.
    ///   - level: `nil` for the best that the kernel offers.
    ///   - folder: where the program is held, so that it outlives this process: on a bpffs, for root alone. What an earlier
    ///     agent left there is taken over. `nil`: nowhere.
    ///   - beginsAtOnce: else nothing is judged by this program until ``begin(takingOver:)``.
    ///   - processParameters: reads what a report says of a process (its id, the thread's id), while it is held where
    ///     it is. The default gives the ids only.
    /// - Throws: `kernel-program-not-allowed`, `kernel-program-refused`, `holding-folder-unusable`.
    public init(
        policy: Policy = .default, exclusions: ExclusionTable = ExclusionTable(), level: ProtectionLevel? = nil,
        heldIn folder: String? = nil, beginsAtOnce: Bool = true,
        processParameters: @escaping @Sendable (_ processID: Int32, _ threadID: Int32) -> ProcessParameters = {
            ProcessParameters(processID: $0, threadID: $1)
        }
    ) throws(EpitopeError) {
        self.level = level ?? KernelSupport.current.level
        self.policy = Mutex(policy)
        self.processParameters = processParameters
        isHeld = folder != nil
        program = try LoadedProgram(level: self.level, policy: epitope_policy(policy, level: self.level), heldIn: folder)
        ring = Mutex(try EventRing(of: program))
        (notices, noticesEnd) = AsyncStream.makeStream(of: Notice.self, bufferingPolicy: .bufferingOldest(Self.bufferedNotices))
        (reading, readingEnd) = AsyncStream.makeStream(of: Never.self)
        try set(exclusions)
        for frames in CLibraries.frames(bounded) {
            guard program.set(frames) else { break }
        }
        // What is attached already marks what is new; now for the old.
        try program.findMarks()
        if beginsAtOnce { try begin() }
    }

    /// Has the program judge, at the same moment that an earlier agent's stops; then reads events.
    ///
    /// - Parameter takeOver: sees to it that an earlier agent reads no more. When it fails, that one goes on as before.
    public func begin(takingOver takeOver: () throws(EpitopeError) -> Void = { () throws(EpitopeError) in }) throws(EpitopeError) {
        try program.begin(takeOver)
        ring.withLock { $0.restart() }
        do throws(EpitopeError) {
            let unreadable = try program.retireOthers()
            if unreadable > 0 { notify(.unreadable(reports: unreadable)) }
        } catch {
            notify(.leftOver(reason: error.message))
        }
        Thread { [self] in run() }.start()
    }

    /// Ends the streams, once all that was reported so far was read. Within a tenth of a second nothing is judged any more,
    /// or nobody settles what the program would hold.
    public func stop(_ ending: Ending = .withProtection) {
        self.ending.withLock { $0 = $0 ?? (isHeld ? ending : .withProtection) }
    }

    /// Threads that wait for a file whose file system doesn't answer. They do nothing more.
    public var threadsLeftBehind: Int { bounded.abandoned }

    /// What becomes of protection, once this was told to stop.
    public var isEnding: Ending? { ending.withLock { $0 } }

    /// Puts other exclusions in force, one by one; the others hold meanwhile.
    ///
    /// - Throws: `kernel-program-refused` when there is no place for one. It holds for nobody; what came before it does.
    public func set(_ table: ExclusionTable) throws(EpitopeError) {
        let wanted = ExclusionEntries(table)
        try exclusions.withLock { (current) throws(EpitopeError) in
            for (key, value) in wanted.steps(from: current) { try program.exclusion(key.inKernel, value?.inKernel) }
            current = wanted
        }
    }

    /// Grows as long as events are read: a reader that hangs can be told by it.
    public var turnsOfReading: UInt64 { turns.load(ordering: .relaxed) }

    /// Puts another policy in force, without a gap: the kernel replaces it as one value.
    public func set(_ policy: Policy) throws(EpitopeError) {
        self.policy.withLock { $0 = policy }
        try program.set(epitope_policy(policy, level: level))
    }

    /// The policy in force.
    public var currentPolicy: Policy { policy.withLock { $0 } }

    /// What was counted so far by the kernel program, from the first agent on that it was held for.
    public var statistics: Statistics { Statistics(program.counters) }

    /// What the program that sees every call costs: runs and nanoseconds (where `kernel.bpf_stats_enabled` is set), and
    /// its length in instructions.
    public var cost: (runs: UInt64, nanoseconds: UInt64, instructions: UInt32)? {
        program.cost(of: level.sendProgram)
    }

    /// The instructions of the program that sees every call, as the kernel runs them, and what each number of a system
    /// call means to it.
    package var instructions: (program: [UInt64], classes: [UInt8]) {
        (program.instructions(of: level.sendProgram), SyscallClassTable.table(.x86_64))
    }

    /// How long the end may wait for what was read to be reported, and then for the one call that is on its way.
    private static let longestEnd: (all: Duration, last: Duration) = (.seconds(8), .seconds(2))
    /// What runs of a program when it is detached has ended by then.
    private static let detachingTime: useconds_t = 20_000

    /// On a thread of its own: reads events until it is told to end.
    private func run() {
        ring.withLock { ring in
            var pending = PendingEvents()
            var reported = 0
            func read() {
                while let (event, place) = ring.take() {
                    let isReported = event.map(handle) ?? false
                    pending.add(place, call: isReported ? reported : nil)
                    if isReported { reported += 1 }
                }
            }
            func giveBack() {
                if let place = pending.settle(callsDone: calls.done) { ring.giveBack(place) }
            }
            while ending.withLock({ $0 == nil }) {
                read()
                giveBack()
                for file in copies.withLock({ $0.takeNews() }) { program.know(file) }
                ring.wait(milliseconds: 20)
                turns.add(1, ordering: .relaxed)
            }
            let isLeft = ending.withLock { $0 } == .leavingProtection
            isLeft ? program.leave() : program.detach()
            usleep(Self.detachingTime)
            read()
            calls.finish()
            noticesEnd.finish()
            func settle(within time: Duration?) {
                let deadline = time.map { ContinuousClock.now + $0 }
                repeat {
                    giveBack()
                    if pending.isEmpty { return }
                    usleep(1000)
                } while deadline.map { ContinuousClock.now < $0 } ?? true
            }
            guard isLeft else {
                // Killed before that is done, it leaves the rest to the next.
                if isHeld { settle(within: nil) }
                return program.forget()
            }
            // What is not done with by then, the next agent reports.
            settle(within: Self.longestEnd.all)
            calls.cut()
            settle(within: Self.longestEnd.last)
        }
        readingEnd.finish()
    }

    /// Whether a call was reported, which takes until somebody has done with it.
    private func handle(_ event: KernelEvent) -> Bool {
        switch event.finding {
        case .uninspectable:
            notify(.uninspectable(call: event.call, processID: event.processID, name: event.command, wasDenied: event.answer != .passed))
        case .unattributable:
            notify(.unattributable(call: event.call, processID: event.processID, name: event.command, wasDenied: event.answer != .passed))
        case .program:
            _ = isSealedCopy(event)
        case .direct, .library, .deeper:
            // What was judged before the kernel knew the copy.
            if event.region.backing == EPITOPE_BACKING_MEMORY_FILE.rawValue, event.answer == .passed, isSealedCopy(event) { return false }
            return report(event)
        }
        return false
    }

    /// Whether the memory file of an event is a sealed copy of an image; the kernel is told, and holds it for one then.
    private func isSealedCopy(_ event: KernelEvent) -> Bool {
        copies.withLock { $0.find(event.region.file, processID: event.processID, at: event.time) }
    }

    private func report(_ event: KernelEvent) -> Bool {
        let policy = policy.withLock { $0 }
        // The event may be old: its process may have gone, and its number be another's.
        let process = ProcessHandle(event.processID, startTime: event.startTime)
        let reading = EventReading(event: event, mappings: ProcessMappings(process == nil ? nil : event.threadID))
        guard let observation = reading.observation() else {
            // Held for a look at one page, which is as the image's file has it.
            if event.answer == .stopped { _ = process?.send(SIGCONT) }
            return false
        }
        var verdict = Verdict(on: observation, policy: policy, excluded: event.excluded)
        // Sent only to be searched for the caller's code in what it sends, and there is none.
        guard !verdict.evidence.isEmpty else { return false }
        verdict.action = action(event.answer, policy)
        var parameters = ProcessParameters(processID: event.processID, threadID: event.threadID)
        if process != nil {
            let read = processParameters(event.processID, event.threadID)
            if process?.isThere() ?? false { parameters = read }
        }
        // The process may have gone meanwhile; the kernel copied its name.
        parameters.name = parameters.name ?? event.command
        let call = Detection(
            architecture: verdict.architecture, callersAddress: verdict.callersAddress, region: verdict.region,
            call: event.call, arguments: reading.arguments, evidence: verdict.evidence,
            code: reading.extractedCode, action: verdict.action,
            process: parameters, timeMilliseconds: Self.wallClock(event.time))
        if event.answer == .stopped, verdict.action == .killed {
            if !(process?.send(SIGKILL) ?? false) { notify(.signalFailed(processID: event.processID)) }
        }
        calls.report(call)
        return true
    }

    /// What was done: the kernel's answer, and what policy makes of a process that is held.
    private func action(_ answer: KernelEvent.Answer, _ policy: Policy) -> ProtectiveAction {
        switch answer {
        case .passed: .watched
        case .denied: .blocked
        case .killed: .killed
        case .stopped: policy.action == .stop ? .stopped : .killed
        }
    }

    private func notify(_ notice: Notice) {
        noticesEnd.yield(notice)
    }

    /// Milliseconds since 1970 of a moment in nanoseconds since the machine began.
    private static func wallClock(_ time: UInt64) -> Int64 {
        var now = timespec()
        var sinceBoot = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        clock_gettime(CLOCK_BOOTTIME, &sinceBoot)
        let elapsed = Int64(sinceBoot.tv_sec) * 1_000_000_000 + Int64(sinceBoot.tv_nsec) - Int64(time)
        return (Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec) - elapsed) / 1_000_000
    }
}

extension KernelBackend.Statistics {
    /// - Parameter counters: by `epitope_counter`.
    init(_ counters: [UInt64]) {
        func value(_ counter: epitope_counter) -> UInt64 { counters[Int(counter.rawValue)] }
        self.init(
            inspected: value(EPITOPE_COUNT_INSPECTED), reported: value(EPITOPE_COUNT_REPORTED),
            repeated: value(EPITOPE_COUNT_REPEATED), dropped: value(EPITOPE_COUNT_DROPPED), actedUpon: value(EPITOPE_COUNT_ACTED),
            uninspectable: value(EPITOPE_COUNT_BUSY) + value(EPITOPE_COUNT_NO_ROOM),
            unattributable: value(EPITOPE_COUNT_UNATTRIBUTABLE), excluded: value(EPITOPE_COUNT_EXCLUSIOND),
            marked: value(EPITOPE_COUNT_MARKED), marksAreFull: value(EPITOPE_COUNT_MARKS_FULL) > 0)
    }
}
