public import BehaviourBlocking
import CKernelProgram
public import EpitopeModel
import Foundation
import Synchronization
import SystemCalls

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
        /// Reports for which the ring buffer, or the stream's buffer, had no room.
        public var dropped: UInt64 = 0
        /// Calls denied, or answered with a signal.
        public var actedUpon: UInt64 = 0
        /// Calls that could not be inspected: the address space was busy, or there was no room to work in.
        public var uninspectable: UInt64 = 0
        /// Calls that a thread of the kernel's made for a ring, where nobody is known to have handed the request over.
        public var unattributable: UInt64 = 0
        public var excused: UInt64 = 0
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
            }
        }
    }

    /// How many reports, and notices, wait for a reader. When there are more, the newest are dropped and counted.
    public static let bufferedCalls = 256

    public let level: ProtectionLevel
    public let stalledCalls: AsyncStream<StalledCall>
    public let notices: AsyncStream<Notice>

    private let program: LoadedProgram
    private let policy: Mutex<Policy>
    private let processParameters: @Sendable (Int32, Int32) -> ProcessParameters
    private let calls: AsyncStream<StalledCall>.Continuation
    private let noticesEnd: AsyncStream<Notice>.Continuation
    private let ending = Mutex(false)
    private let droppedHere = Mutex<UInt64>(0)

    /// Loads the kernel program, attaches it, and marks what came before it.
    ///
    /// - Parameters:
    ///   - level: `nil` for the best that the kernel offers.
    ///   - processParameters: reads what a report says of a process (its id, the thread's id), while it is held where
    ///     it is. The default gives the ids only.
    /// - Throws: `kernel-program-not-allowed`, `kernel-program-refused`.
    public init(
        policy: Policy = .default, level: ProtectionLevel? = nil,
        processParameters: @escaping @Sendable (_ processID: Int32, _ threadID: Int32) -> ProcessParameters = {
            ProcessParameters(processID: $0, threadID: $1)
        }
    ) throws(EpitopeError) {
        self.level = level ?? KernelSupport.current.level
        self.policy = Mutex(policy)
        self.processParameters = processParameters
        program = try LoadedProgram(level: self.level, policy: epitope_policy(policy, level: self.level))
        (stalledCalls, calls) = AsyncStream.makeStream(of: StalledCall.self, bufferingPolicy: .bufferingOldest(Self.bufferedCalls))
        (notices, noticesEnd) = AsyncStream.makeStream(of: Notice.self, bufferingPolicy: .bufferingOldest(Self.bufferedCalls))
        for library in CLibraries.running() {
            if let frames = LibraryFrames(library), !program.set(frames) { break }
        }
        // What is attached already marks what is new; now for the old.
        try program.findMarks()
        Thread { [self] in run() }.start()
    }

    /// Detaches the program and ends the streams, within a tenth of a second.
    public func stop() {
        ending.withLock { $0 = true }
    }

    /// Puts another policy in force, without a gap: the kernel replaces it as one value.
    public func set(_ policy: Policy) throws(EpitopeError) {
        self.policy.withLock { $0 = policy }
        try program.set(epitope_policy(policy, level: level))
    }

    /// What was counted so far, by the kernel program and here.
    public var statistics: Statistics {
        let counters = program.counters
        func value(_ counter: epitope_counter) -> UInt64 { counters[Int(counter.rawValue)] }
        return Statistics(
            inspected: value(EPITOPE_COUNT_INSPECTED), reported: value(EPITOPE_COUNT_REPORTED),
            repeated: value(EPITOPE_COUNT_REPEATED),
            dropped: value(EPITOPE_COUNT_DROPPED) + droppedHere.withLock { $0 }, actedUpon: value(EPITOPE_COUNT_ACTED),
            uninspectable: value(EPITOPE_COUNT_BUSY) + value(EPITOPE_COUNT_NO_ROOM),
            unattributable: value(EPITOPE_COUNT_UNATTRIBUTABLE), excused: value(EPITOPE_COUNT_EXCUSED),
            marked: value(EPITOPE_COUNT_MARKED), marksAreFull: value(EPITOPE_COUNT_MARKS_FULL) > 0)
    }

    /// What the program that sees every call costs: runs and nanoseconds (where `kernel.bpf_stats_enabled` is set), and
    /// its length in instructions.
    public var cost: (runs: UInt64, nanoseconds: UInt64, instructions: UInt32)? {
        program.cost(of: level.sendProgram)
    }

    /// On a thread of its own: reads events until it is told to end.
    private func run() {
        while !ending.withLock({ $0 }) {
            program.poll(milliseconds: 20) { pointer in
                if let event = KernelEvent(pointer) { handle(event) }
            }
        }
        calls.finish()
        noticesEnd.finish()
    }

    private func handle(_ event: KernelEvent) {
        switch event.finding {
        case .uninspectable:
            notify(.uninspectable(call: event.call, processID: event.processID, name: event.command, wasDenied: event.answer != .passed))
        case .unattributable:
            notify(.unattributable(call: event.call, processID: event.processID, name: event.command, wasDenied: event.answer != .passed))
        case .direct, .library, .deeper:
            report(event)
        }
    }

    private func report(_ event: KernelEvent) {
        let policy = policy.withLock { $0 }
        let process = HeldProcess(event.processID, startTime: event.startTime)
        let reading = EventReading(event: event, mappings: ProcessMappings(event.threadID))
        guard let observation = reading.observation() else {
            // Held for a look at one page, which is as the image's file has it.
            if event.answer == .stopped, let process { _ = process.send(SIGCONT) }
            return
        }
        var verdict = Verdict(on: observation, policy: policy)
        verdict.action = action(event.answer, policy)
        var parameters = processParameters(event.processID, event.threadID)
        // The process may have gone meanwhile; the kernel copied its name.
        parameters.name = parameters.name ?? event.command
        let call = StalledCall(
            architecture: verdict.architecture, callersAddress: verdict.callersAddress, region: verdict.region,
            call: event.call, arguments: reading.arguments, evidence: verdict.evidence,
            code: reading.extractedCode, action: verdict.action,
            process: parameters, timeMilliseconds: Self.wallClock(event.time))
        if event.answer == .stopped, verdict.action == .killed {
            if !(process?.send(SIGKILL) ?? false) { notify(.signalFailed(processID: event.processID)) }
        }
        if case .dropped = calls.yield(call) { droppedHere.withLock { $0 += 1 } }
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
