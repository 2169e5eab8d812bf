// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import EpitopeModel
import Glibc
import Synchronization

/// How containers get to their supervisors: from the socket, or from an earlier agent.
extension SeccompAgent {
    /// How long the agent waits for descriptors or memory to become free before it accepts again, in microseconds.
    private static let acceptRetryMicroseconds: useconds_t = 100_000

    /// On a thread of its own: accepts connections until the agent stops.
    func listen() {
        while !state.withLock({ $0.isStopping }) {
            let connection = epitope_accept(socket.descriptor)
            switch connection {
            case 0...: accept(connection)
            case -EINTR, -ECONNABORTED: continue
            // Out of descriptors or memory. Runtimes that connect meanwhile wait, too.
            case -EMFILE, -ENFILE, -ENOBUFS, -ENOMEM: usleep(Self.acceptRetryMicroseconds)
            default: return
            }
        }
    }

    private func accept(_ connection: Int32) {
        do throws(EpitopeError) {
            try startThread { [self] in serve(connection) }
        } catch {
            close(connection)
            reject(error)
        }
    }

    /// Serves one connection until the processes that were handed over through it have ended.
    private func serve(_ connection: Int32) {
        let handover: ContainerHandover
        do throws(EpitopeError) {
            defer { close(connection) }
            guard let received = try ContainerHandover.receive(from: connection) else { return }
            handover = received
        } catch {
            return reject(error)
        }
        state.withLock { $0.statistics.accepted += 1 }
        let persisted = configuration.store.flatMap { PersistedContainer.persist(handover, handoverEvent: handoverEvent, in: $0) }
        if configuration.store != nil, persisted == nil { streams.notify(.endsWithAgent(containerID: handover.state.containerID)) }
        supervise(handover, persisted)
    }

    /// Adopts the containers that an earlier agent persisted.
    func adoptContainers() {
        guard let store = configuration.store else { return }
        let (containers, lost) = PersistedContainer.adopt(from: store, handoverEvent: handoverEvent)
        for container in containers {
            do throws(EpitopeError) {
                try startThread { [self] in superviseAdopted(container) }
            } catch {
                store.remove(container.name)
                close(container.handover.listener)
                reject(error)
            }
        }
        for _ in 0..<lost {
            reject(
                EpitopeError(
                    .containerNotAdopted, "a container that an earlier agent supervised can't be adopted: its record can't be read",
                    remedy: "its critical calls fail: restart it"))
        }
    }

    private func superviseAdopted(_ container: PersistedContainer) {
        state.withLock { $0.statistics.adopted += 1 }
        if container.denyUnrecordedCall() { streams.notify(.deniedUnjudged(containerID: container.handover.state.containerID)) }
        supervise(container.handover, container)
    }

    /// Handles a container's calls until its processes have ended, or another agent takes over.
    private func supervise(_ handover: ContainerHandover, _ persisted: PersistedContainer?) {
        state.withLock { $0.statistics.supervised += 1 }
        let supervisor = Supervisor(
            listener: handover.listener, container: SupervisedContainer(handover.state, persisted: persisted),
            .init(
                policy: policy, extraction: configuration.extraction, context: configuration.context,
                exclusions: configuration.exclusions, counters: counters, maxCachedThreads: Self.maxCachedThreads),
            reportingTo: ContainerReportSink(agent: self, containerID: handover.state.containerID))
        if supervisor.run() == .processesEnded, let persisted { configuration.store?.remove(persisted.name) }
        state.withLock { $0.statistics.supervised -= 1 }
    }

    /// Starts a thread for a container if there is room for one. It counts as a connection until `work` returns.
    ///
    /// - Throws: `containers-full`, `launch-failed`.
    private func startThread(_ work: @escaping @Sendable () -> Void) throws(EpitopeError) {
        let maxProcesses = configuration.maxProcesses
        let hasRoom = state.withLock { state in
            guard state.connections < maxProcesses else { return false }
            state.connections += 1
            return true
        }
        guard hasRoom else {
            throw EpitopeError(
                .containersFull, "a container was rejected: \(maxProcesses) processes of containers are supervised already",
                remedy: "its critical calls fail, so it doesn't start: allow more (--max-containers), or start fewer")
        }
        do throws(EpitopeError) {
            try SupervisionThread.start { [self] in
                work()
                state.withLock { $0.connections -= 1 }
            }
        } catch {
            state.withLock { $0.connections -= 1 }
            throw error
        }
    }

    private func reject(_ error: EpitopeError) {
        state.withLock { $0.statistics.rejected += 1 }
        streams.notify(.rejected(error))
    }
}
