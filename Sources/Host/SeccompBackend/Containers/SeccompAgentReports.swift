// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Synchronization

extension SeccompAgent {
    /// Something that the operator should know, other than a report.
    public enum Notice: Hashable, Sendable, CustomStringConvertible {
        /// About a call of a container.
        case ofCall(SeccompBackend.Notice, containerID: String)
        /// A container's process was rejected: its critical calls fail.
        case rejected(EpitopeError)
        /// An earlier agent was killed right after it had received a call and before it could record which: it can't be judged.
        case deniedUnjudged(containerID: String)
        /// A container could not be put into the service manager's store: its calls fail when this agent has ended.
        case endsWithAgent(containerID: String)

        public var description: String {
            switch self {
            case .ofCall(let notice, let container): "container \(container): \(notice)"
            case .rejected(let error): "\(error)"
            case .deniedUnjudged(let container):
                "container \(container): a call was denied without inspection, because the previous agent was killed just after "
                    + "receiving it"
            case .endsWithAgent(let container):
                "container \(container): the service manager's descriptor store doesn't take it, so its critical calls fail once this "
                    + "agent has ended: restart the container after the agent, and look at FileDescriptorStoreMax= in the unit"
            }
        }
    }

    /// Counted from the start on.
    public struct Statistics: Hashable, Sendable {
        /// The calls of all containers together.
        public var calls = SeccompBackend.Statistics()
        /// Processes that runtimes handed over.
        public var accepted: UInt64 = 0
        /// Processes that an earlier agent had supervised.
        public var adopted: UInt64 = 0
        /// Processes that were not accepted.
        public var rejected: UInt64 = 0
        /// How many processes are supervised now.
        public var supervised = 0
    }
}

/// Reports the calls of one container to the agent's streams, and remembers which were reported.
struct ContainerReportSink: ReportSink {
    let agent: SeccompAgent
    let containerID: String

    func willAnswer(_ key: ReportKey) { agent.state.withLock { $0.reported.insert(key) } }

    func report(_ detection: Detection) -> Bool { agent.streams.report(detection) }

    func notify(_ notice: SeccompBackend.Notice) { agent.streams.notify(.ofCall(notice, containerID: containerID)) }
}
