// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
import BehaviourBlocking
import Foundation
import HostFrontEnd
import KernelBackend
import SeccompBackend
import Synchronization
import UnixSignals

/// The agent at work: what it says of itself, and how it ends.
struct AgentSession: Sendable {
    let backend: KernelBackend
    let containers: SeccompAgent?
    /// What is counted besides, of containers.
    let counted: @Sendable () -> [String: UInt64]
    let upkeep: PolicyReloader
    let heldIn: String?
    let file: StatusFile
    let manager = ServiceManager.current
    private let began = Date()

    init(
        _ backend: KernelBackend, containers: SeccompAgent?, counted: @escaping @Sendable () -> [String: UInt64], upkeep: PolicyReloader,
        heldIn: String?, file: StatusFile
    ) {
        self.backend = backend
        self.containers = containers
        self.counted = counted
        self.upkeep = upkeep
        self.heldIn = heldIn
        self.file = file
    }

    var status: AgentStatus {
        var status = AgentStatus(
            level: backend.level, action: backend.currentPolicy.action, since: began, heldIn: heldIn, statistics: backend.statistics)
        status.counted.merge(counted(), uniquingKeysWith: +)
        return status
    }

    /// Runs until the agent is told to end and all that was seen is reported.
    ///
    /// - Parameters:
    ///   - report: reports calls until there are no more.
    ///   - stopped: nothing more is read: another agent may begin to.
    func run(_ report: @escaping @Sendable () async -> Void, stopped: @escaping @Sendable () -> Void) async {
        let signals = Task {
            let trapped = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sigusr1)
            if let early = PendingSignals.taken { end(by: early) }
            for await signal in trapped { end(by: signal.rawValue) }
        }
        let notices = Task { for await notice in backend.notices { Console.note("\(notice)") } }
        let containerNotices = containers?.tell()
        let upkeep = Task { await self.upkeep.run() }
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
        containerNotices?.cancel()
        upkeep.cancel()
    }

    private func end(by signal: Int32) {
        manager?.tell(.stopping)
        containers?.stop(by: signal)
        backend.stop(signal == HandoverSignal.number ? .leavingProtection : .withProtection)
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
enum PendingSignals {
    private static let first = Atomic<Int32>(0)

    static func keep() {
        // The policy that it would have read again was read just now.
        signal(SIGHUP, SIG_IGN)
        for number in [SIGTERM, SIGINT, HandoverSignal.number] {
            signal(number) { number in PendingSignals.first.store(number, ordering: .relaxed) }
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
