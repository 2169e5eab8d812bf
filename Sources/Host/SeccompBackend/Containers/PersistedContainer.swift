// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import EpitopeModel
import FoundationEssentials
import Glibc
import Synchronization

/// Where the notifications of containers are kept beyond this process, so that their calls wait for the next agent instead of
/// failing: by whoever starts agents anew. What is kept is two descriptors by one name: the notifications, and a record.
public struct ContainerFDStore: Sendable {
    /// What an earlier agent had kept: names and descriptors, which are the receiver's.
    public var kept: [(name: String, descriptor: Int32)]
    /// Keeps copies of descriptors by a name; `false` where that can't be.
    public var keep: @Sendable (_ descriptors: [Int32], _ name: String) -> Bool
    public var forget: @Sendable (_ name: String) -> Void

    public init(
        kept: [(name: String, descriptor: Int32)], keep: @escaping @Sendable (_ descriptors: [Int32], _ name: String) -> Bool,
        forget: @escaping @Sendable (_ name: String) -> Void
    ) {
        self.kept = kept
        self.keep = keep
        self.forget = forget
    }
}

/// A process under the filter whose notifications go on after this agent.
///
/// Whenever the agent is killed, the next one finds here what its container's runtime said, whether
/// the container had begun, and the call that was under way: one that was received can't be received again, and would wait for
/// ever.
final class PersistedContainer: Sendable {
    static let prefix = "container-"

    let name: String
    let handover: ContainerHandover
    /// Readable once supervisors are to receive no more.
    let leaving: Int32
    private let record: Mutex<UnsafeMutablePointer<epitope_record>>

    private init(name: String, handover: ContainerHandover, leaving: Int32, record: sending UnsafeMutablePointer<epitope_record>) {
        self.name = name
        self.handover = handover
        self.leaving = leaving
        self.record = Mutex(record)
    }

    deinit { record.withLock { epitope_record_close($0) } }

    /// Has a container kept that a runtime has just handed over; `nil` where it can't be: it ends with this agent then.
    static func keep(_ handover: ContainerHandover, leaving: Int32, by keeper: ContainerFDStore) -> PersistedContainer? {
        guard let message = try? JSONEncoder().encode(handover.state), let length = UInt32(exactly: message.count) else { return nil }
        var record: UnsafeMutablePointer<epitope_record>?
        let memory = message.withUnsafeBytes { epitope_record_make($0.baseAddress, length, &record) }
        guard memory >= 0, let record else { return nil }
        defer { close(memory) }
        let name = prefix + String(UInt64.random(in: .min ... .max), radix: 16)
        let kept = PersistedContainer(name: name, handover: handover, leaving: leaving, record: record)
        return keeper.keep([handover.listener, memory], name) ? kept : nil
    }

    /// What earlier agents had kept and can be taken up: of the rest nothing is kept on.
    ///
    /// - Returns: the containers, and how many that live still can't be taken up: their critical calls fail from now on.
    static func takeUp(from keeper: ContainerFDStore, leaving: Int32) -> (containers: [PersistedContainer], lost: Int) {
        var containers: [PersistedContainer] = []
        var lost = 0
        for (name, group) in Dictionary(grouping: keeper.kept, by: \.name) {
            var descriptors = group.map(\.descriptor)
            let listeners = descriptors.filter(epitope_is_listener)
            let live = listeners.filter(epitope_listener_is_live)
            if name.hasPrefix(prefix), listeners.count == 1, let listener = live.first,
                let container = descriptors.lazy.compactMap({ open($0, name, listener, leaving) }).first
            {
                descriptors.removeAll { $0 == listener }
                containers.append(container)
            } else {
                lost += live.count
                keeper.forget(name)
            }
            for descriptor in descriptors { close(descriptor) }
        }
        return (containers, lost)
    }

    private static func open(_ memory: Int32, _ name: String, _ listener: Int32, _ leaving: Int32) -> PersistedContainer? {
        var record: UnsafeMutablePointer<epitope_record>?
        guard epitope_record_open(memory, &record) == 0, let record else { return nil }
        guard let state = try? JSONDecoder().decode(ContainerProcessState.self, from: message(record)) else {
            epitope_record_close(record)
            return nil
        }
        return PersistedContainer(
            name: name, handover: ContainerHandover(state: state, listener: listener), leaving: leaving, record: record)
    }

    private static func message(_ record: UnsafeMutablePointer<epitope_record>) -> Data {
        let start = UnsafeRawPointer(record) + MemoryLayout<epitope_record>.size
        return Data(UnsafeRawBufferPointer(start: start, count: Int(record.pointee.length)))
    }

    /// To be told of each call right after it was received.
    func received(_ call: epitope_notification) {
        record.withLock { record in withUnsafePointer(to: call) { epitope_record_call(record, $0) } }
    }

    /// The call that was noted last.
    private var lastCall: epitope_notification? {
        var call = epitope_notification()
        return record.withLock { epitope_record_last_call($0, &call) } ? call : nil
    }

    /// The call that was under way when the earlier agent was killed, which waits for its answer still.
    var underWay: epitope_notification? {
        lastCall.flatMap { epitope_notification_is_valid(handover.listener, $0.id) ? $0 : nil }
    }

    /// Denies a call that the earlier agent had received and not noted yet when it was killed, of which nothing is known but its
    /// number: the kernel gives them out one by one (`seccomp_next_notify_id`), and refuses an answer to a call that nobody received.
    ///
    /// - Returns: whether there was one.
    func denyUnknown() -> Bool {
        lastCall.map { epitope_notification_deny(handover.listener, $0.id &+ 1, EPERM) == 0 } ?? false
    }

    /// How far the container's start had come.
    var start: ContainerStart {
        get {
            record.withLock { record in
                let known = ContainerStart.Program(device: record.pointee.runtime_device, inode: record.pointee.runtime_inode)
                return ContainerStart(runtime: record.pointee.knows_runtime != 0 ? known : nil, isOver: record.pointee.has_started != 0)
            }
        }
        set {
            record.withLock { record in
                record.pointee.runtime_device = newValue.runtime?.device ?? 0
                record.pointee.runtime_inode = newValue.runtime?.inode ?? 0
                record.pointee.knows_runtime = newValue.runtime == nil ? 0 : 1
                record.pointee.has_started = newValue.isOver ? 1 : 0
            }
        }
    }
}
