// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
import BehaviourBlocking
import Foundation
import HostFrontEnd
import KernelBackend
import SeccompBackend
import UnixSignals

/// The running agent: publishes its status, and ends on signals.
struct AgentSession: Sendable {
    let backend: KernelBackend
    let containers: SeccompAgent?
    /// Counts of containers, added to the backend's.
    let containerCounts: @Sendable () -> [String: UInt64]
    let reloader: PolicyReloader
    let pinnedAt: String?
    let file: StatusFile
    let problems: @Sendable () async -> [HostProblem]
    private let manager = ServiceManager.current
    private let startTime = Date()

    init(
        _ backend: KernelBackend, containers: SeccompAgent?, containerCounts: @escaping @Sendable () -> [String: UInt64],
        reloader: PolicyReloader, pinnedAt: String?, file: StatusFile, problems: @escaping @Sendable () async -> [HostProblem]
    ) {
        self.backend = backend
        self.containers = containers
        self.containerCounts = containerCounts
        self.reloader = reloader
        self.pinnedAt = pinnedAt
        self.file = file
        self.problems = problems
    }

    private func status() async -> AgentStatus {
        var status = AgentStatus(
            level: backend.level, policy: backend.policy, since: startTime, pinnedAt: pinnedAt, statistics: backend.statistics,
            cuts: backend.cuts, problems: await problems())
        status.counted.merge(containerCounts(), uniquingKeysWith: +)
        return status
    }

    /// Runs until a signal ends the agent and everything that was detected is reported.
    ///
    /// - Parameters:
    ///   - report: reports until there are no more detections.
    ///   - onStopped: called when no more events are read: another agent may read them from then on.
    func run(_ report: @escaping @Sendable () async -> Void, onStopped: @escaping @Sendable () -> Void) async {
        let signals = Task {
            let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sigusr1)
            if let pending = PendingSignals.first { stop(by: pending) }
            for await signal in signals { stop(by: signal.rawValue) }
        }
        let notices = Task { for await notice in backend.notices { Console.log("\(notice)") } }
        let containerNotices = containers?.startPrintingNotices()
        let reloading = Task { await reloader.run() }
        let publishing = Task { await publishStatus() }
        let reading = Task {
            for await _ in backend.reading {}
            publishing.cancel()
            await publishing.value
            onStopped()
        }
        manager?.notify(.ready, .status(await status().summary))
        await report()
        await reading.value
        signals.cancel()
        notices.cancel()
        containerNotices?.cancel()
        reloading.cancel()
    }

    private func stop(by signal: Int32) {
        manager?.notify(.stopping)
        containers?.stop(by: signal)
        backend.stop(signal == HandoverSignal.number ? .leavingProtection : .endingProtection)
    }

    /// Writes the status file and notifies the service manager every second.
    private func publishStatus() async {
        var heartbeat: UInt64 = 0
        while !Task.isCancelled && backend.stopMode == nil {
            let now = await status()
            file.write(now)
            manager?.notify(.status(now.summary))
            // If the reader hangs, the watchdog restarts the agent.
            if manager?.watchdogSeconds != nil, backend.heartbeat != heartbeat { manager?.notify(.alive) }
            heartbeat = backend.heartbeat
            try? await Task.sleep(for: .seconds(1))
        }
        // The last status describes what stays in force.
        if backend.stopMode == .leavingProtection { file.write(await status()) } else { file.remove() }
    }
}
