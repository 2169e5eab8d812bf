// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import CSeccomp
import EpitopeModel
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import SeccompBackend

/// Containers that outlive their agent. The test stores their notifications meanwhile.
@Suite(.enabled(if: geteuid() == 0, "the agent takes containers from root alone: run the tests as root"), .serialized)
struct PersistedContainerTests {
    /// Stores copies of descriptors by name, as a service manager does.
    private final class Store: Sendable {
        private let content = Mutex<[(name: String, descriptor: Int32)]>([])

        var names: Set<String> { Set(content.withLock { $0.map(\.name) }) }

        /// The store as one agent sees it, with copies of all descriptors.
        func fdStore() -> ContainerFDStore {
            ContainerFDStore(
                entries: content.withLock { $0.map { ($0.name, fcntl($0.descriptor, F_DUPFD_CLOEXEC, 3)) } },
                store: { [self] descriptors, name in
                    content.withLock { $0 += descriptors.map { (name, fcntl($0, F_DUPFD_CLOEXEC, 3)) } }
                    return true
                },
                remove: { [self] name in
                    content.withLock { content in
                        for kept in content where kept.name == name { close(kept.descriptor) }
                        content.removeAll { $0.name == name }
                    }
                })
        }

        /// Puts a descriptor in, which it owns from then on.
        func add(_ name: String, _ descriptor: Int32) { content.withLock { $0.append((name, descriptor)) } }
        func descriptors(_ name: String) -> [Int32] { content.withLock { $0.filter { $0.name == name }.map(\.descriptor) } }
        /// Takes one of a name's away.
        func drop(_ descriptor: Int32) {
            close(descriptor)
            content.withLock { $0.removeAll { $0.descriptor == descriptor } }
        }
    }

    /// Exclusions whose lookup blocks.
    private struct BlockedExclusions: ExclusionProviding {
        let asked: DispatchSemaphore
        let answer: DispatchSemaphore

        func excludedEvidence(forProcess processID: Int32) -> Set<EvidenceKind> {
            asked.signal()
            // In short waits: a supervisor that sleeps in one call for a second hangs, and the call is answered without it.
            while answer.wait(timeout: .now() + .milliseconds(20)) == .timedOut {}
            return []
        }
    }

    private let folder: TemporaryFolder
    private let store = Store()
    private let receiver = Receiver(datagrams: true)
    private let output = Output()
    private var path: String { folder.path + "/agent.sock" }

    init() throws { folder = try TemporaryFolder() }

    private func agent(exclusions: any ExclusionProviding = FixedExclusions()) throws -> SeccompAgent {
        try SeccompAgent(.init(path: path, exclusions: exclusions, store: store.fdStore()))
    }

    /// Starts the stub program under the filter and hands it over.
    private func start(_ arguments: [String]) throws -> Int32 {
        let command = ProtectedCommand(
            Fixtures.path("call-stub"), arguments + ["\(receiver.port)"], environment: Fixtures.environment,
            standardOutput: output.descriptor)
        var child = try Launcher.start(command)
        let connection = try Connection(path)
        let message = #"{"ociVersion":"1.0.2","fds":["seccompFd"],"pid":\#(child.pid),"state":{"id":"one"}}"#
        #expect(connection.send(Array(message.utf8), descriptors: [child.listener]))
        close(child.listener)
        try Launcher.finish(&child, command)
        return child.pid
    }

    private func notices(_ agent: SeccompAgent) async -> [SeccompAgent.Notice] {
        agent.stop()
        var notices: [SeccompAgent.Notice] = []
        for await notice in agent.notices { notices.append(notice) }
        return notices
    }

    @Test func `the next agent adopts the container and no call fails meanwhile`() async throws {
        let count = 20_000
        let first = try agent()
        let process = try start(["repeat", "\(count)"])
        try await eventually("calls are denied") { first.statistics.calls.denied > 100 }
        #expect(store.names.count == 1)
        first.stop(.handOver)
        try await eventually("its supervisor leaves") { first.statistics.supervised == 0 }
        let denied = first.statistics.calls.denied
        try await Task.sleep(for: .milliseconds(100))
        #expect(first.statistics.calls.denied == denied && denied < count, "calls wait")

        let second = try agent()
        #expect(epitope_wait(process) == 0)
        #expect(output.text == "denied \(count)\n", "none failed otherwise, and none got through")
        #expect(receiver.arrivals(datagrams: true) == 0)
        try await eventually("its supervisor ends") { second.statistics.supervised == 0 }
        #expect(second.statistics.adopted == 1 && second.statistics.accepted == 0)
        #expect(Int(denied + second.statistics.calls.denied) == count, "each was answered once")
        #expect(store.names.isEmpty, "what has ended is kept no more")
        second.stop()
        var reports: [Detection] = []
        for await call in second.detections { reports.append(call) }
        #expect(!reports.isEmpty && reports.allSatisfy { $0.process.containerID == "one" })
    }

    @Test func `a container that can't be stored is supervised, and it is told that it ends with the agent`() async throws {
        var full = store.fdStore()
        full.store = { _, _ in false }
        let agent = try SeccompAgent(.init(path: path, exclusions: FixedExclusions(), store: full))
        let process = try start(["repeat", "3"])
        #expect(epitope_wait(process) == 0)
        #expect(output.text == "denied 3\n")
        try await eventually("its supervisor ends") { agent.statistics.supervised == 0 }
        #expect(await notices(agent) == [.endsWithAgent(containerID: "one")])
    }

    /// As when the agent is killed in the middle of a call: what was received can't be received again.
    @Test(arguments: [true, false]) func `the call that was in progress is answered`(_ wasRecorded: Bool) async throws {
        let judging = DispatchSemaphore(value: 0)
        let goOn = DispatchSemaphore(value: 0)
        let first = try agent(exclusions: BlockedExclusions(asked: judging, answer: goOn))
        let process = try start(["repeat", "3"])
        #expect(
            await withCheckedContinuation { continuation in
                DispatchQueue.global().async { continuation.resume(returning: judging.wait(timeout: .now() + 20)) }
            } == .success)
        let name = try #require(store.names.first)
        if !wasRecorded { try forgetLastCall(name) }

        first.stop(.handOver)
        let second = try agent()
        #expect(epitope_wait(process) == 0)
        #expect(output.text == "denied 3\n")
        #expect(receiver.arrivals(datagrams: true) == 0)
        // The process goes on at its answer, before the answer is counted.
        try await eventually("its supervisor ends") { second.statistics.supervised == 0 }
        #expect(second.statistics.calls.denied == (wasRecorded ? 3 : 2), "one that isn't known is nobody's to judge")
        #expect(await notices(second) == (wasRecorded ? [] : [.deniedUnjudged(containerID: "one")]))
        var reports = 0
        for await _ in second.detections { reports += 1 }
        #expect(reports == (wasRecorded ? 3 : 2))
        goOn.signal()
        try await eventually("the first agent's supervisor leaves") { first.statistics.supervised == 0 }
    }

    /// Sets the record back to the call before: the agent was killed before it could note the one that it had received.
    private func forgetLastCall(_ name: String) throws {
        for descriptor in store.descriptors(name) {
            var record: UnsafeMutablePointer<epitope_record>?
            guard epitope_record_open(descriptor, &record) == 0, let record else { continue }
            record.pointee.calls.0.id &-= 1
            record.pointee.calls.1.id &-= 1
            return epitope_record_close(record)
        }
        throw NeverCame(what: "a record")
    }

    @Test func `an entry that cannot be adopted is reported and removed`() async throws {
        let first = try agent()
        let process = try start(["repeat", "2000000000"])
        try await eventually("calls are denied") { first.statistics.calls.denied > 0 }
        first.stop(.handOver)
        try await eventually("its supervisor leaves") { first.statistics.supervised == 0 }
        // Its record is gone; and there are things that are no container's.
        let name = try #require(store.names.first)
        for descriptor in store.descriptors(name) where !epitope_is_listener(descriptor) { store.drop(descriptor) }
        store.add(name, open("/dev/null", O_RDONLY))
        store.add("container-0", open("/dev/null", O_RDONLY))
        store.add("", open("/etc/passwd", O_RDONLY))

        let second = try agent()
        #expect(store.names.isEmpty)
        #expect(second.statistics.adopted == 0 && second.statistics.rejected == 1)
        let told = await notices(second)
        guard told.count == 1, case .rejected(let error)? = told.first else { throw NeverCame(what: "one refusal: \(told)") }
        #expect(error.code == .containerNotAdopted)
        kill(process, SIGKILL)
        #expect(epitope_wait(process) == 256 + SIGKILL)
    }

    @Test func `a container's start is persisted`() throws {
        let event = epitope_handover_event_create()
        defer { close(event) }
        let state = ContainerProcessState(processID: 7, metadata: "m", containerID: "ü", bundle: "/b", annotations: ["a": "b"])
        let handover = ContainerHandover(state: state, listener: -1)
        let container = try #require(PersistedContainer.persist(handover, handoverEvent: event, in: store.fdStore()))
        let program = ContainerStart.program(of: getpid())
        #expect(container.start.runtime == nil && !container.start.isOver)
        var start = container.start
        let isRuntimes = start.isRuntimesExec(program)
        #expect(isRuntimes)
        container.start = start
        #expect(container.start.runtime == program && !container.start.isOver)
        start = container.start
        let isRuntimesStill = start.isRuntimesExec(ContainerStart.Program(device: 1, inode: 1))
        #expect(!isRuntimesStill, "another program is the container's")
        container.start = start
        #expect(container.start.isOver)
    }
}
