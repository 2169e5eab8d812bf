// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
import BehaviourBlocking
import EpitopeModel
import Foundation
import HostFrontEnd
import HostPolicy
import SeccompBackend
import Synchronization
import UnixSignals

extension SeccompAgent {
    /// Starts printing notices, until the agent ends.
    func startPrintingNotices() -> Task<Void, Never> {
        Task { for await notice in notices { Console.log("\(notice)") } }
    }

    /// Stops because of a signal to the agent.
    func stop(by signal: Int32) { stop(signal == HandoverSignal.number ? .handOver : .endWithProcess) }

    /// The counts that `epitope status` shows beside the kernel program's.
    var counted: [String: UInt64] {
        let statistics = statistics
        return [
            "containers-supervised": UInt64(statistics.supervised), "containers-accepted": statistics.accepted,
            "containers-adopted": statistics.adopted,
            "containers-rejected": statistics.rejected, "containers-calls": statistics.calls.notified,
            "containers-denied": statistics.calls.denied, "containers-dropped": statistics.calls.dropped,
            "containers-uninspectable": statistics.calls.uninspectable,
            "cut": statistics.calls.cut, "cut-failed": statistics.calls.cutFailed,
        ]
    }
}

extension EpitopeAgent {
    /// Protects only containers, without an eBPF program.
    func serveContainers(_ preparation: Preparation, _ configuration: Configuration) throws {
        _ = try PrivilegeDrop.apply(cutsCode: extractionOptions.extraction == .cut)
        let policy = PolicyInUse(configuration.loaded.policy)
        let reporter = HostReporter(
            stateOptions, packetOptions, context: configuration.context, problems: preparation.problems, protection: "containers",
            applications: { policy.value.applicationsOn }, logger: preparation.logger)
        let exclusions = configuration.watchExclusions()
        let directories = preparation.directories
        guard let containers = try listenToContainers(preparation, configuration, exclusions, { try directories.replaceOther() }) else {
            return
        }
        Console.log("policy: \(configuration.loaded.summary)")
        Console.log("protecting the containers whose runtimes connect to \(containerOptions.seccompListener ?? "")")
        let reloader = PolicyReloader(
            options: policyOptions, stateOptions: stateOptions, monitor: exclusions, problems: preparation.problems,
            applyPolicy: { new in
                containers.set(new)
                policy.value = new
            }, applyExclusions: { _ in })
        runBlocking {
            let notices = containers.startPrintingNotices()
            let reloading = Task { await reloader.run() }
            let publishing = Task {
                await Self.publishStatus(of: containers, policy, in: preparation.statusFile, problems: reporter.problems)
            }
            let stopping = Task {
                let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sigusr1)
                func stop(by signal: Int32) async {
                    publishing.cancel()
                    await publishing.value
                    containers.stop(by: signal)
                    // The one that takes its place listens from now on.
                    directories.leave()
                }
                if let pending = PendingSignals.first { return await stop(by: pending) }
                for await signal in signals { return await stop(by: signal.rawValue) }
            }
            ServiceManager.current?.notify(.ready)
            await reporter.report(containers.reports) { Self.unreported(nil, containers.statistics.calls, 0) }
            publishing.cancel()
            stopping.cancel()
            reloading.cancel()
            await notices.value
        }
        let statistics = containers.statistics
        if verbose { Console.log("\(statistics.calls.notified) critical calls of containers, \(statistics.calls.denied) denied") }
    }
}

extension EpitopeAgent {
    /// Writes the status file every second, until the task is cancelled.
    private static func publishStatus(
        of containers: SeccompAgent, _ policy: PolicyInUse, in file: StatusFile, problems: @Sendable () async -> [HostProblem]
    ) async {
        let began = Date()
        while !Task.isCancelled {
            file.write(
                AgentStatus(ofContainersBy: policy.value, since: began, counted: containers.counted, problems: await problems()))
            try? await Task.sleep(for: .seconds(1))
        }
        file.remove()
    }
}

/// The policy of containers, for what is told of it.
private final class PolicyInUse: Sendable {
    private let policy: Mutex<Policy>

    init(_ policy: Policy) { self.policy = Mutex(policy) }

    var value: Policy {
        get { policy.withLock { $0 } }
        set { policy.withLock { $0 = newValue } }
    }
}
