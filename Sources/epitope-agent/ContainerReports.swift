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
    func protectContainers(_ containers: SeccompAgent, _ keeper: ExcuseKeeper, _ reporter: HostReporter) async {
        Console.note("protecting the containers whose runtimes connect to \(containerOptions.seccompListener ?? "")")
        let notices = containers.tell()
        let ending = Task {
            for await _ in await UnixSignalsSequence(trapping: .sigterm, .sigint) {
                containers.stop()
                break
            }
        }
        let upkeep = Task {
            await PolicyUpkeep(options: policyOptions, keeper: keeper, set: { containers.set($0) }, excuse: { _ in }).run()
        }
        await reporter.report(containers.stalledCalls)
        ending.cancel()
        upkeep.cancel()
        await notices.value
        let statistics = containers.statistics
        if verbose { Console.note("\(statistics.calls.notified) critical calls of containers, \(statistics.calls.denied) denied") }
    }
}
