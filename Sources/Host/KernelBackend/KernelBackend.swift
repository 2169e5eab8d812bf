// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking
import CKernelProgram
public import EpitopeModel
import Foundation
import ProcessInspection
import Scheduling
import Synchronization

/// Behaviour blocking by eBPF, for every process of the machine.
///
/// Needs Linux 5.17 with type information, and root. Where the kernel runs BPF LSM, or allows programs to replace the result of its
/// security functions (`fmod_ret`), calls are denied (``ProtectionLevel``); elsewhere their process is stopped and killed right
/// after the call. The kernel program judges calls by itself: protection doesn't depend on this process, and a slow reader loses
/// reports (counted), never a denial.
///
/// This is a second form of the walk that SeccompBackend takes from a critical call to its report, with the same steps. Each step is in
/// two places, the kernel program (bpf/include) for the answer, and here for the report:
///
/// | step | in the kernel | here |
/// | --- | --- | --- |
/// | decode | inspection.h, `decode` | `KernelEvent` |
/// | inspect | inspection.h, `inspect`: stacks, mappings, pages | `EventInterpretation`: names, pages that the kernel couldn't check |
/// | ask | decision.h, `ask_agent`: holds the call until the answer is there | `QuestionAnswer`: what only files tell |
/// | decide | decision.h, `decide`: by the policy's map | `EventHandler.decide`: the evidence; the action is the kernel's |
/// | extract | extraction.h, `extract`: code, data, arguments | `EventHandler.extract`: the process's parameters |
/// | respond | decision.h, `respond`: denial, SIGSTOP, SIGKILL | `EventHandler.respond`: overwrites the code, kills or continues a stopped process |
/// | report | reports.h, `send_report`: ring buffer | `ReportStream` |
public final class KernelBackend: BehaviourBlockingBackend {
    /// The most notices that are buffered for a reader. Further ones are dropped.
    public static let maxBufferedNotices = 256

    public let level: ProtectionLevel
    /// The detections. When this process is killed, the next agent reports those again that were not acknowledged.
    public var reports: AsyncStream<DetectionReport> { handler.reports.reports }
    /// Conditions that an operator should know of but that are not reports.
    public var notices: AsyncStream<Notice> { handler.notices }
    /// Ends when no more events are read: another agent may read them from then on.
    public let reading: AsyncStream<Never>

    private let program: LoadedProgram
    private let isPinned: Bool
    private let extraction: ExtractionSettings
    private let boundedWork = BoundedWork()
    private let reader: Mutex<RingReader>
    private let handler: EventHandler
    private let exclusions = Mutex(ExclusionEntries())
    private let readingContinuation: AsyncStream<Never>.Continuation
    private let requestedStop = Mutex<StopMode?>(nil)
    private let readCount = Atomic<UInt64>(0)

    /// What happens to protection when this process stops reading.
    public enum StopMode: Hashable, Sendable {
        case endingProtection
        /// Protection stays in force until another agent adopts it, or it is released (``PinnedProgram``). A program that isn't pinned is
        /// detached in either case.
        case leavingProtection
    }

    /// Loads the kernel program, attaches it, and marks the processes that exist already.
    ///
    /// - Parameters:
    ///   - exclusions: what is excluded; ``setExclusions(_:)`` replaces it.
    ///   - level: `nil` for the best that the kernel supports.
    ///   - extraction: how much code is reported; and whether that of denied calls is overwritten, too: each such process is stopped for it.
    ///   - folder: where the program is pinned, so that it outlives this process: on a bpffs, accessible to root only. What an
    ///     earlier agent
    ///     pinned there is adopted. `nil`: not pinned.
    ///   - beginsAtOnce: otherwise this program judges no calls until ``begin(replacing:)``.
    ///   - context: describes the processes that are reported. The default gives only their IDs.
    /// - Throws: `kernel-program-not-allowed`, `kernel-program-refused`, `pins-folder-unusable`, `agent-in-pid-namespace`,
    ///   `foreign-proc`.
    public convenience init(
        policy: Policy = .default, exclusions: ExclusionTable = ExclusionTable(), level: ProtectionLevel? = nil,
        extraction: ExtractionSettings = .copy, pinnedAt folder: String? = nil, beginsAtOnce: Bool = true,
        context: any ProcessContextProviding = NumbersOnly()
    ) throws(EpitopeError) {
        try self.init(
            policy: policy, exclusions: exclusions, level: level, extraction: extraction, places: Places(), pinnedAt: folder,
            beginsAtOnce: beginsAtOnce, context: context)
    }

    /// Places in the tables that all processes share; 0 for as many as the kernel program has by itself.
    package struct Places: Sendable {
        package var marks: UInt32
        package var submitters: UInt32
        package var starters: UInt32

        package init(marks: UInt32 = 0, submitters: UInt32 = 0, starters: UInt32 = 0) {
            self.marks = marks
            self.submitters = submitters
            self.starters = starters
        }
    }

    /// The same with other tables: for tests of what happens when they are full.
    package init(
        policy: Policy, exclusions: ExclusionTable, level: ProtectionLevel?, extraction: ExtractionSettings = .copy, places: Places,
        pinnedAt folder: String?, beginsAtOnce: Bool, context: any ProcessContextProviding
    ) throws(EpitopeError) {
        try ProcessNamespace.requireMachine()
        try ProcessTable.requireOwn()
        self.level = level ?? KernelSupport.current.level
        isPinned = folder != nil
        self.extraction = extraction
        handler = EventHandler(policy: policy, extraction: extraction, context: context)
        program = try LoadedProgram(
            level: self.level, policy: epitope_policy(policy, level: self.level, extraction: extraction.mode), places: places,
            pinnedAt: folder)
        reader = Mutex(RingReader(try EventRingBuffer(of: program), handler: handler))
        (reading, readingContinuation) = AsyncStream.makeStream(of: Never.self)
        try setExclusions(exclusions)
        for frames in CLibraries.frames(boundedWork) {
            guard program.setFrames(frames) else { break }
        }
        // The attached program already marks what changes from now on; this marks what existed before.
        try program.scanProcesses()
        if beginsAtOnce { try begin() }
    }

    /// Makes this program judge calls, at the same moment that an earlier agent's stops; then reads events.
    ///
    /// - Parameter replace: makes an earlier agent stop reading. If it throws, that agent's program judges calls again.
    public func begin(replacing replace: () throws(EpitopeError) -> Void = { () throws(EpitopeError) in }) throws(EpitopeError) {
        try program.begin(replace)
        reader.withLock { $0.rewind() }
        do throws(EpitopeError) {
            let unreadable = try program.retireOthers()
            if unreadable > 0 { handler.notify(.unreadable(reports: unreadable)) }
        } catch {
            handler.notify(.leftOver(reason: error.message))
        }
        do {
            try DedicatedThread.start { [self] in run() }
        } catch {
            throw EpitopeError(
                .kernelProgramRefused, "no thread could be started to read the kernel program's events: \(error)",
                remedy: "raise the limit on processes and threads (ulimit -u), or end some, and start the agent again")
        }
    }

    /// Ends the streams, once everything so far was read. Within a tenth of a second no call is judged any more, or no agent
    /// settles stopped processes.
    public func stop(_ mode: StopMode = .endingProtection) {
        requestedStop.withLock { $0 = $0 ?? (isPinned ? mode : .endingProtection) }
    }

    /// How ``stop(_:)`` was called; `nil` before.
    public var stopMode: StopMode? { requestedStop.withLock { $0 } }

    /// Threads that are blocked by a file whose file system doesn't respond. They do nothing when they return.
    public var threadsLeftBehind: Int { boundedWork.abandoned }

    /// Replaces the exclusions one by one; those in both tables stay in force throughout.
    ///
    /// Those for a program with a library are none of the kernel program's: by them `lookUp` tells which calls that passed aren't
    /// reported, and which stopped processes go on. A call that was denied stays so.
    ///
    /// - Parameter lookUp: the kinds of evidence that don't count for a process.
    /// - Throws: `kernel-program-refused` when there is no room for an exclusion, which is then not in force; those before it are.
    public func setExclusions(
        _ table: ExclusionTable, lookingUp lookUp: (@Sendable (Int32) -> Set<EvidenceKind>)? = nil
    ) throws(EpitopeError) {
        handler.setFurtherExclusions(lookUp ?? { _ in [] })
        let wanted = ExclusionEntries(table)
        try exclusions.withLock { (current) throws(EpitopeError) in
            for (key, value) in wanted.steps(from: current) { try program.setExclusion(key.inKernel, value?.inKernel) }
            current = wanted
        }
    }

    /// Replaces the policy without a gap: the kernel replaces it as one value.
    public func setPolicy(_ policy: Policy) throws(EpitopeError) {
        handler.policy = policy
        try program.setPolicy(epitope_policy(policy, level: level, extraction: extraction.mode))
    }

    /// The policy in force.
    public var policy: Policy { handler.policy }

    /// A heartbeat: it increases while events are being read, so that a hung reader can be detected.
    public var heartbeat: UInt64 { readCount.load(ordering: .relaxed) }

    /// What the kernel program counted so far.
    public var statistics: Statistics { Statistics(program.counters) }

    /// What became of code that was to be overwritten (``BehaviourBlocking/ExtractionMode/cut``), counted by this process.
    public var cuts: Cuts { handler.cuts }

    /// The cost of the program that sees every call: runs and nanoseconds (where `kernel.bpf_stats_enabled` is set), and its length in
    /// instructions.
    public var cost: (runs: UInt64, nanoseconds: UInt64, instructions: UInt32)? {
        program.cost(of: level.sendProgram)
    }

    /// The instructions of the program that sees every call, as the kernel runs them, and the class of each system call number.
    package var instructions: (program: [UInt64], classes: [UInt8]) {
        (program.instructions(of: level.sendProgram), SyscallClassTable.table(.x86_64))
    }

    /// Runs of a program that is being detached have ended by then.
    private static let detachingMicroseconds: useconds_t = 20_000

    /// Reads events until ``stop(_:)``, on a thread of its own.
    private func run() {
        reader.withLock { reader in
            var upkeep = ProgramUpkeep()
            while stopMode == nil {
                // At once: the program may deny a call of a copy that it doesn't know yet, and holds others until they are answered.
                reader.readOnce {
                    for file in handler.takeNewCopies() { program.addCopy(file) }
                    for event in handler.takeQuestions() {
                        program.answer(event.processID, event.question, handler.answer(event))
                    }
                }
                for notice in upkeep.work(on: program, policy: { epitope_policy(self.policy, level: level, extraction: extraction.mode) }) {
                    handler.notify(notice)
                }
                reader.waitForMore()
                readCount.add(1, ordering: .relaxed)
            }
            let isLeft = stopMode == .leavingProtection
            isLeft ? program.leave() : program.detach()
            usleep(Self.detachingMicroseconds)
            reader.readAll()
            handler.finish()
            if isLeft { return reader.waitForHandover() }
            // If this process is killed before all are acknowledged, the next agent finds the rest.
            if isPinned { reader.waitForAll() }
            program.removePins()
        }
        readingContinuation.finish()
    }
}
