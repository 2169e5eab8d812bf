import AgentLifeCycle
import BehaviourBlocking
import EpitopeModel
import HostFrontEnd
import HostPolicy
import SeccompBackend
import UnixSignals

extension SeccompAgent {
    /// What both backends report, as one stream that ends when both have ended. A call that the seccomp agent let through
    /// and reported goes on into the kernel, whose backend sees it as well: it is reported once.
    func reports(with kernel: AsyncStream<StalledCall>) -> AsyncStream<StalledCall> {
        let (merged, end) = AsyncStream.makeStream(
            of: StalledCall.self, bufferingPolicy: .bufferingOldest(SeccompBackend.bufferedCalls))
        Task {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { for await call in self.stalledCalls { end.yield(call) } }
                group.addTask { for await call in kernel where !self.hasReported(call) { end.yield(call) } }
            }
            end.finish()
        }
        return merged
    }

    /// Says what a person should know, until the agent ends.
    func tell() -> Task<Void, Never> {
        Task { for await notice in notices { Console.note("\(notice)") } }
    }

    /// What `epitope status` shows beside the kernel program's counts.
    var counted: [String: UInt64] {
        let statistics = statistics
        return [
            "containers-supervised": UInt64(statistics.supervised), "containers-taken": statistics.taken,
            "containers-turned-away": statistics.turnedAway, "containers-calls": statistics.calls.notified,
            "containers-denied": statistics.calls.denied, "containers-dropped": statistics.calls.dropped,
            "containers-uninspectable": statistics.calls.uninspectable,
        ]
    }
}

extension EpitopeAgent {
    /// Containers alone, without an eBPF program.
    func protectContainers(_ loaded: HostPolicy, _ reporter: HostReporter) throws {
        let keeper = ExcuseKeeper(loaded.excuses)
        for problem in keeper.problems where !problem.isAbsence { Console.note("\(problem)") }
        EarlySignals.keep()
        guard let containers = try containerOptions.start(policy: loaded.policy, keeper: keeper, parameters: reporter.parameters) else { return }
        Console.note("policy: \(loaded.summary)")
        Console.note("protecting the containers whose runtimes connect to \(containerOptions.seccompListener ?? "")")
        let upkeep = PolicyUpkeep(options: policyOptions, keeper: keeper, set: { containers.set($0) }, excuse: { _ in })
        Waiting.untilDone {
            let notices = containers.tell()
            let work = Task { await upkeep.run() }
            let ending = Task {
                let trapped = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sigusr1)
                if EarlySignals.taken != nil { return containers.stop() }
                for await _ in trapped { return containers.stop() }
            }
            ServiceManager.current?.tell(.ready)
            await reporter.report(containers.stalledCalls)
            ending.cancel()
            work.cancel()
            await notices.value
        }
        let statistics = containers.statistics
        if verbose { Console.note("\(statistics.calls.notified) critical calls of containers, \(statistics.calls.denied) denied") }
    }
}
