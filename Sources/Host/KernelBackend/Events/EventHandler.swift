// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import CKernelProgram
import EpitopeModel
import FileAccess
import Foundation
import ProcessInspection
import Synchronization

/// Handles the events of the kernel program, on the reader's thread: inspects what the kernel could not, decides about the report,
/// carries out what the kernel left to the agent, and reports.
final class EventHandler: Sendable {
    let reports = ReportStream()
    let notices: AsyncStream<KernelBackend.Notice>
    private let noticeContinuation: AsyncStream<KernelBackend.Notice>.Continuation
    private let policyInForce: Mutex<Policy>
    private let furtherExclusions = Mutex<@Sendable (Int32) -> Set<EvidenceKind>>({ _ in [] })
    private let copies = Mutex(SealedCopyCache())
    private let origins = Mutex(CodeOrigins())
    private let questions = Mutex<[KernelEvent]>([])
    private let context: any ProcessContextProviding
    private let extraction: ExtractionSettings
    private let cutCounts = Mutex(KernelBackend.Cuts())
    private let stopWaits = Mutex(StopWaits())

    init(policy: Policy, extraction: ExtractionSettings, context: any ProcessContextProviding) {
        policyInForce = Mutex(policy)
        self.extraction = extraction
        self.context = context
        (notices, noticeContinuation) = AsyncStream.makeStream(
            of: KernelBackend.Notice.self, bufferingPolicy: .bufferingOldest(KernelBackend.maxBufferedNotices))
    }

    var policy: Policy {
        get { policyInForce.withLock { $0 } }
        set { policyInForce.withLock { $0 = newValue } }
    }

    /// What became of code that was to be overwritten.
    var cuts: KernelBackend.Cuts { cutCounts.withLock { $0 } }

    /// What else is excluded for a process than the kernel program knows of.
    func setFurtherExclusions(_ lookUp: @escaping @Sendable (Int32) -> Set<EvidenceKind>) {
        furtherExclusions.withLock { $0 = lookUp }
    }

    func notify(_ notice: KernelBackend.Notice) { noticeContinuation.yield(notice) }

    /// Ends both streams after what they have.
    func finish() {
        reports.finish()
        noticeContinuation.finish()
    }

    /// The sealed copies that were found since this was called last, for the kernel program.
    func takeNewCopies() -> [KernelFile] { copies.withLock { $0.takeNew() } }

    /// The questions that were asked since this was called last.
    func takeQuestions() -> [KernelEvent] {
        questions.withLock { questions in
            defer { questions = [] }
            return questions
        }
    }

    /// The answer to a question.
    func answer(_ event: KernelEvent) -> QuestionAnswer {
        guard let process = ProcessHandle(event.processID, startTime: event.startTime) else { return .none }
        let mappings = ProcessMappings(event.threadID)
        let answer =
            event.question.kind == EPITOPE_QUESTION_FRAME.rawValue
            ? CallersFrame(event, mappings).answer : origins.withLock { $0.answer(event, mappings) }
        // Else another process may have been looked at.
        return process.isAlive() ? answer : .none
    }

    /// Handles an event. Returns the number of its report; `nil` if it is not reported.
    func handle(_ event: KernelEvent) -> Int? {
        let wasDenied = event.answer != .passed
        switch event.finding {
        case .uninspectable:
            notify(.uninspectable(call: event.call, processID: event.processID, name: event.command, wasDenied: wasDenied))
        case .unattributable:
            notify(.unattributable(call: event.call, processID: event.processID, name: event.command, wasDenied: wasDenied))
        case .program:
            _ = isSealedCopy(event)
        case .question:
            questions.withLock { $0.append(event) }
        case .direct, .library, .deeper, .impossible, .unchecked:
            // The kernel may have judged the call before it knew the copy.
            if event.region.backing == EPITOPE_BACKING_MEMORY_FILE.rawValue, event.answer == .passed, isSealedCopy(event) { return nil }
            return handleCall(event)
        }
        return nil
    }

    /// Whether the memory file of an event is a sealed copy of an image. The kernel is told of it, and treats it as the image from then on.
    private func isSealedCopy(_ event: KernelEvent) -> Bool {
        copies.withLock { $0.find(event.region.file, processID: event.processID, at: event.time) }
    }

    /// The steps of the host's walk for a call that the kernel judged: inspect, decide, extract, respond, report.
    private func handleCall(_ event: KernelEvent) -> Int? {
        // The event may be old: its process may have ended, and the process ID been reused.
        let process = ProcessHandle(event.processID, startTime: event.startTime)
        let mappings = ProcessMappings(process == nil ? nil : event.threadID)
        var interpretation = origins.withLock { EventInterpretation(event: event, mappings: mappings, origins: $0) }
        // What was read may be of another program, which the process runs since.
        if mappings.processID != nil, !event.isProgramRunning {
            interpretation = origins.withLock { EventInterpretation(event: event, mappings: ProcessMappings(nil), origins: $0) }
        }
        guard var observation = interpretation.observation() else {
            // Stopped for a check of one page, which is unchanged.
            if event.answer == .stopped { resume(event, process) }
            return nil
        }
        let policy = policy
        observation.application = policy.application(of: event)
        if let running = interpretation.mappings.processID { observation.deletedFile = DeletedFile.find(in: running)?.path }
        guard let verdict = decide(event, observation, policy, process) else { return nil }
        var detection = extract(interpretation, verdict, policy, process)
        detection.cut = cut(event, verdict, interpretation, process)
        respond(event, verdict, process)
        return event.isRepetition ? nil : reports.report(detection)
    }

    /// The evidence by the same rules as the kernel's; the action is what the kernel did, and what the policy says about a stopped process.
    private func decide(
        _ event: KernelEvent, _ observation: Observation, _ policy: Policy, _ process: ProcessHandle?
    ) -> Verdict? {
        // What the kernel acted upon is told in any case.
        let isOpen = event.answer == .passed || event.answer == .stopped
        // Of the program that the process runs: for another one's call they are none.
        let excluded = isOpen ? furtherExclusions.withLock { $0 }(event.processID) : []
        let further = excluded.isEmpty || !event.isProgramRunning ? [] : excluded
        var verdict = policy.judge(observation, excluding: event.excluded.union(further))
        // An excluded send was only reported to search its data for the caller's code, which isn't in it.
        guard !verdict.evidence.isEmpty else {
            if event.answer == .stopped { resume(event, process) }
            return nil
        }
        verdict.action =
            switch event.answer {
            case .passed, .held: .watched
            case .denied: .blocked
            case .killed: .killed
            // Stopped for a look, which found nothing to act upon.
            case .stopped where verdict.action == .watched: .watched
            // Denied by the hook, and stopped for a look or a cut alone.
            case .stopped where policy.action(for: observation.application) == .block && event.isOfHook: .blocked
            case .stopped: policy.action(for: observation.application) == .stop ? .stopped : .killed
            }
        return verdict
    }

    private func extract(
        _ interpretation: EventInterpretation, _ verdict: Verdict, _ policy: Policy, _ process: ProcessHandle?
    ) -> Detection {
        let event = interpretation.event
        let extraction = interpretation.extraction(verdict, extraction.amounts)
        return Detection(
            architecture: verdict.architecture, callersAddress: extraction.callersAddress, region: extraction.region,
            call: event.call, arguments: interpretation.arguments, evidence: verdict.evidence,
            code: extraction.code, action: verdict.action, points: verdict.points, applications: policy.applicationsOn,
            process: parameters(of: event, process), timeMilliseconds: BootClock.wallClockMilliseconds(event.time),
            markedFor: event.markedFor)
    }

    private func parameters(of event: KernelEvent, _ process: ProcessHandle?) -> ProcessParameters {
        var parameters = ProcessParameters(processID: event.processID, threadID: event.threadID)
        // One switch, not a comparison with nil and an optional chain: for these Swift 6.3.1 crashes when it optimizes.
        switch process {
        case .some(let process):
            let read = context.context(ofProcess: event.processID, thread: event.threadID, in: nil)
            // Else the process may have ended while it was read, and the process ID been reused.
            if process.isAlive() { parameters = read }
            if event.isProgramRunning {
                parameters.name = parameters.name ?? event.command
                return parameters
            }
            return withProgram(of: event, parameters, process.isAlive() ? event.processID : nil)
        case .none: return withProgram(of: event, parameters, nil)
        }
    }

    /// The parameters of a process that has ended, or runs another program by now, with the program that made the call.
    private func withProgram(of event: KernelEvent, _ parameters: ProcessParameters, _ process: Int32?) -> ProcessParameters {
        let path = event.program.path.map { event.program.isDeleted ? "\($0) (deleted)" : $0 }
        guard let (file, root) = event.program.open(process) else {
            return context.context(of: parameters, atCall: ProgramAtCall(name: event.command, path: path))
        }
        return withExtendedLifetime(file) {
            context.context(
                of: parameters, atCall: ProgramAtCall(name: event.command, path: path, file: .init(descriptor: file.number, root: root)))
        }
    }

    /// Overwrites the code of a call that is acted upon, while its process is stopped.
    private func cut(
        _ event: KernelEvent, _ verdict: Verdict, _ interpretation: EventInterpretation, _ process: ProcessHandle?
    ) -> CodeCut? {
        guard extraction.mode == .cut, verdict.denies, event.answer == .stopped || event.answer == .denied else { return nil }
        let place = interpretation.extraction(verdict, extraction.amounts)
        guard place.region.backing.isUnbacked,
            let range = ExtractionRange(of: place.region, callersAddress: place.callersAddress, amounts: extraction.amounts)
        else {
            return nil
        }
        let outcome = cut(range, of: place.region, event, process)
        cutCounts.withLock { counts in if outcome == .done { counts.done += 1 } else { counts.failed += 1 } }
        return outcome
    }

    private func cut(_ range: ExtractionRange, of region: MemoryRegion, _ event: KernelEvent, _ process: ProcessHandle?) -> CodeCut {
        // Denied without an agent that would have continued it: it has gone on since.
        guard event.answer == .stopped else { return .failed(process == nil ? .ended : .notHeld) }
        guard let process else { return .failed(.ended) }
        let wasHeld = waitUntilHeld(event)
        guard process.isAlive() else { return .failed(.ended) }
        // The addresses are another program's after an exec.
        guard wasHeld, event.isProgramRunning else { return .failed(.notHeld) }
        let outcome = CodeCutter(process: event.threadID)
            .overwrite(range.start, range.count, in: region, with: ExtractionMode.breakpoint)
        return outcome ?? .failed(.refused)
    }

    /// Waits until a process has stopped that is being stopped.
    private func waitUntilHeld(_ event: KernelEvent) -> Bool {
        let process = StoppedProcess(processID: event.processID, threadID: event.threadID)
        return stopWaits.withLock { $0.wait(until: { process.isHeld }) }
    }

    /// Continues a process that was stopped for a look or a cut. A continuation before the stop would leave it stopped.
    private func resume(_ event: KernelEvent, _ process: ProcessHandle?) {
        guard let process else { return }
        _ = waitUntilHeld(event)
        _ = process.send(SIGCONT)
    }

    /// Kills or continues a process that the kernel only stopped, so that its parameters could be read, or its code overwritten.
    private func respond(_ event: KernelEvent, _ verdict: Verdict, _ process: ProcessHandle?) {
        guard event.answer == .stopped else { return }
        switch verdict.action {
        case .watched, .blocked: resume(event, process)
        case .killed: if !(process?.send(SIGKILL) ?? false) { notify(.signalFailed(processID: event.processID)) }
        case .stopped: break
        }
    }
}

extension Policy {
    /// The application that the kernel program judged an event's call by.
    fileprivate func application(of event: KernelEvent) -> BlockingApplication {
        event.isOfRing && !isOn(.send) ? .connect : event.application
    }
}
