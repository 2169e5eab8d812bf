// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
import BehaviourBlocking
import EpitopeModel
import HostFrontEnd
import HostPolicy
import SeccompBackend
import Synchronization
import UnixSignals

/// What both backends report, as one stream that ends when both have ended.
///
/// A call that the seccomp agent let through and reported goes on into the kernel, whose backend sees it as well: it is
/// reported once. A call that the seccomp agent denied never gets there.
///
/// Who asks for the next call has done with the one before, which is passed on to the kernel's backend: until then the kernel
/// keeps a report's room, for the next agent if this one is killed.
final class MergedReports: Sendable {
    let calls: AsyncStream<Detection>
    private let containers: SeccompAgent
    private let dropped = Atomic<UInt64>(0)

    init(_ containers: SeccompAgent, _ kernel: AsyncStream<Detection>) {
        self.containers = containers
        let (merged, end) = AsyncStream.makeStream(of: Item.self, bufferingPolicy: .bufferingOldest(2 * SeccompBackend.bufferedCalls))
        let last = InFlightReport()
        calls = AsyncStream(unfolding: {
            last.isDone()
            var items = merged.makeAsyncIterator()
            guard let item = await items.next() else { return nil }
            last.begins(item.done)
            return item.call
        })
        Task { [self] in
            await withTaskGroup(of: Void.self) { group in
                group.addTask { for await call in containers.detections { self.pass(Item(call: call), to: end) } }
                group.addTask {
                    for await call in kernel where !containers.hasReported(call) {
                        await withCheckedContinuation { self.pass(Item(call: call, done: $0), to: end) }
                    }
                }
            }
            end.finish()
            let lost = dropped.load(ordering: .relaxed)
            if lost > 0 { Console.note("\(lost) reports were dropped: more came than could be stored") }
        }
    }

    private struct Item: Sendable {
        let call: Detection
        /// Who waits until the call is done with.
        var done: CheckedContinuation<Void, Never>?
    }

    /// The call that was taken last.
    private final class InFlightReport: Sendable {
        private let done = Mutex<CheckedContinuation<Void, Never>?>(nil)

        func begins(_ done: CheckedContinuation<Void, Never>?) { self.done.withLock { $0 = done } }

        func isDone() {
            let waiting = done.withLock { done in
                defer { done = nil }
                return done
            }
            waiting?.resume()
        }
    }

    private func pass(_ item: Item, to end: AsyncStream<Item>.Continuation) {
        guard case .enqueued = end.yield(item) else {
            dropped.add(1, ordering: .relaxed)
            item.done?.resume()
            return
        }
    }

    /// What is added to the kernel backend's counts.
    var counted: [String: UInt64] {
        containers.counted.merging(["dropped": dropped.load(ordering: .relaxed)]) { $1 }
    }
}

extension SeccompAgent {
    /// Says what a person should know, until the agent ends.
    func tell() -> Task<Void, Never> {
        Task { for await notice in notices { Console.note("\(notice)") } }
    }

    /// Ends by a signal to the agent.
    func stop(by signal: Int32) { stop(signal == HandoverSignal.number ? .leavingContainers : .withThisProcess) }

    /// What `epitope status` shows beside the kernel program's counts.
    var counted: [String: UInt64] {
        let statistics = statistics
        return [
            "containers-supervised": UInt64(statistics.supervised), "containers-taken": statistics.taken,
            "containers-taken-up": statistics.takenUp,
            "containers-turned-away": statistics.turnedAway, "containers-calls": statistics.calls.notified,
            "containers-denied": statistics.calls.denied, "containers-dropped": statistics.calls.dropped,
            "containers-uninspectable": statistics.calls.uninspectable,
        ]
    }
}

extension EpitopeAgent {
    /// Containers alone, without an eBPF program.
    func protectContainers(_ loaded: HostPolicy, _ reporter: HostReporter, _ store: DescriptorStore?) throws {
        let keeper = ExclusionMonitor(loaded.exclusions)
        for problem in keeper.problems where !problem.isAbsence { Console.note("\(problem)") }
        PendingSignals.keep()
        guard
            let containers = try containerOptions.start(
                policy: loaded.policy, keeper: keeper, parameters: reporter.parameters, store: store)
        else { return }
        Console.note("policy: \(loaded.summary)")
        Console.note("protecting the containers whose runtimes connect to \(containerOptions.seccompListener ?? "")")
        let upkeep = PolicyReloader(options: policyOptions, keeper: keeper, set: { containers.set($0) }, exclusion: { _ in })
        Waiting.untilDone {
            let notices = containers.tell()
            let work = Task { await upkeep.run() }
            let ending = Task {
                let trapped = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sigusr1)
                if let early = PendingSignals.taken { return containers.stop(by: early) }
                for await signal in trapped { return containers.stop(by: signal.rawValue) }
            }
            ServiceManager.current?.tell(.ready)
            await reporter.report(containers.detections)
            ending.cancel()
            work.cancel()
            await notices.value
        }
        let statistics = containers.statistics
        if verbose { Console.note("\(statistics.calls.notified) critical calls of containers, \(statistics.calls.denied) denied") }
    }
}
