import AgentLifeCycle
import BehaviourBlocking
import Foundation
import HostFrontEnd
import KernelBackend
import Synchronization
import UnixSignals

/// The agent at work: what it says of itself, and how it ends.
struct AgentSession: Sendable {
    let backend: KernelBackend
    let action: Policy.Action
    let heldIn: String?
    let file: StatusFile
    let manager = ServiceManager.current
    /// Takes the settings anew (SIGHUP).
    private let reload: @Sendable () async -> Void
    private let began = Date()

    init(
        _ backend: KernelBackend, action: Policy.Action, heldIn: String?, file: StatusFile, reload: @escaping @Sendable () async -> Void = {}
    ) {
        self.backend = backend
        self.action = action
        self.heldIn = heldIn
        self.file = file
        self.reload = reload
    }

    var status: AgentStatus {
        AgentStatus(level: backend.level, action: action, since: began, heldIn: heldIn, statistics: backend.statistics)
    }

    /// Runs until the agent is told to end and all that was seen is reported.
    ///
    /// - Parameters:
    ///   - report: reports calls until there are no more.
    ///   - stopped: nothing more is read: another agent may begin to.
    func run(_ report: @escaping @Sendable () async -> Void, stopped: @escaping @Sendable () -> Void) async {
        let signals = Task {
            let trapped = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sigusr1, .sighup)
            if let early = EarlySignals.taken { end(by: early) }
            for await signal in trapped {
                // However long it takes to reload, the agent can be ended.
                if signal == .sighup { Task { await reloadNow() } } else { end(by: signal.rawValue) }
            }
        }
        let notices = Task { for await notice in backend.notices { Console.note("\(notice)") } }
        let beats = Task { await tellStatus() }
        let reading = Task {
            for await _ in backend.reading {}
            beats.cancel()
            await beats.value
            stopped()
        }
        manager?.tell(.ready, .status(status.summary))
        await report()
        await reading.value
        signals.cancel()
        notices.cancel()
    }

    private func reloadNow() async {
        manager?.tell(.reloading(monotonicMicroseconds: ServiceManager.monotonicMicroseconds()))
        await reload()
        manager?.tell(.ready)
    }

    private func end(by signal: Int32) {
        manager?.tell(.stopping)
        backend.stop(signal == LeavingSignal.number ? .leavingProtection : .withProtection)
    }

    /// Every second: to people, and to the service manager, as long as events are read.
    private func tellStatus() async {
        var turns: UInt64 = 0
        while !Task.isCancelled && backend.isEnding == nil {
            let now = status
            file.write(now)
            manager?.tell(.status(now.summary))
            // A reader that hangs is started anew by whoever watches over it.
            if manager?.watchdogSeconds != nil, backend.turnsOfReading != turns { manager?.tell(.alive) }
            turns = backend.turnsOfReading
            try? await Task.sleep(for: .seconds(1))
        }
        // What stays in force is told by the last word.
        if backend.isEnding == .leavingProtection { file.write(status) } else { file.remove() }
    }
}

/// A signal that comes before the agent listens is kept for when it does: to end by it at once would leave protection in force
/// unasked, that of this agent or of an earlier one.
enum EarlySignals {
    private static let first = Atomic<Int32>(0)

    static func keep() {
        // There is nothing to take anew yet.
        signal(SIGHUP, SIG_IGN)
        for number in [SIGTERM, SIGINT, LeavingSignal.number] {
            signal(number) { number in EarlySignals.first.store(number, ordering: .relaxed) }
        }
    }

    static var taken: Int32? {
        let number = first.load(ordering: .relaxed)
        return number == 0 ? nil : number
    }
}

/// Runs asynchronous work to its end on a thread that is none of Swift's own: the main one, before there was another.
enum Waiting {
    static func untilDone(_ work: @escaping @Sendable () async -> Void) {
        let done = DispatchSemaphore(value: 0)
        Task {
            await work()
            done.signal()
        }
        done.wait()
    }
}
