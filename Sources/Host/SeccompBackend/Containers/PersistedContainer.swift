// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import EpitopeModel
import FoundationEssentials
import Glibc
import Synchronization

/// A process under the filter whose notifications outlive this agent.
///
/// If the agent is killed, the next one finds in the record what the container's runtime sent, whether the container had
/// started, and the call that was in progress. A call that was received once can't be received again, so without the record
/// it would wait without end.
final class PersistedContainer: Sendable {
    static let namePrefix = "container-"

    let name: String
    let handover: ContainerHandover
    /// Readable once supervisors should receive no more calls.
    let handoverEvent: Int32
    private let shared: Mutex<UnsafeMutablePointer<epitope_record>>

    private init(
        name: String, handover: ContainerHandover, handoverEvent: Int32, record: sending UnsafeMutablePointer<epitope_record>
    ) {
        self.name = name
        self.handover = handover
        self.handoverEvent = handoverEvent
        shared = Mutex(record)
    }

    deinit { shared.withLock { epitope_record_close($0) } }

    /// Persists a container that a runtime has just handed over; `nil` if that isn't possible: supervision then ends with
    /// this agent.
    static func persist(_ handover: ContainerHandover, handoverEvent: Int32, in store: ContainerFDStore) -> PersistedContainer? {
        guard let message = try? JSONEncoder().encode(handover.state), let length = UInt32(exactly: message.count) else { return nil }
        var record: UnsafeMutablePointer<epitope_record>?
        let memory = message.withUnsafeBytes { epitope_record_make($0.baseAddress, length, &record) }
        guard memory >= 0, let record else { return nil }
        defer { close(memory) }
        let name = namePrefix + String(UInt64.random(in: .min ... .max), radix: 16)
        let container = PersistedContainer(name: name, handover: handover, handoverEvent: handoverEvent, record: record)
        return store.store([handover.listener, memory], name) ? container : nil
    }

    /// Adopts the containers that earlier agents persisted. Entries that can't be adopted are removed.
    ///
    /// - Returns: the containers, and how many that still run can't be adopted: their critical calls fail from now on.
    static func adopt(from store: ContainerFDStore, handoverEvent: Int32) -> (containers: [PersistedContainer], lost: Int) {
        var containers: [PersistedContainer] = []
        var lost = 0
        for (name, group) in Dictionary(grouping: store.entries, by: \.name) {
            var descriptors = group.map(\.descriptor)
            let listeners = descriptors.filter(epitope_is_listener)
            let live = listeners.filter(epitope_listener_is_live)
            if name.hasPrefix(namePrefix), listeners.count == 1, let listener = live.first,
                let container = descriptors.lazy.compactMap({
                    read(recordIn: $0, named: name, listener: listener, handoverEvent: handoverEvent)
                }).first
            {
                descriptors.removeAll { $0 == listener }
                containers.append(container)
            } else {
                lost += live.count
                store.remove(name)
            }
            for descriptor in descriptors { close(descriptor) }
        }
        return (containers, lost)
    }

    /// Reads a container's record; `nil` if the memory doesn't hold one of this version.
    private static func read(recordIn memory: Int32, named name: String, listener: Int32, handoverEvent: Int32) -> PersistedContainer? {
        var record: UnsafeMutablePointer<epitope_record>?
        guard epitope_record_open(memory, &record) == 0, let record else { return nil }
        guard let state = try? JSONDecoder().decode(ContainerProcessState.self, from: message(in: record)) else {
            epitope_record_close(record)
            return nil
        }
        return PersistedContainer(
            name: name, handover: ContainerHandover(state: state, listener: listener), handoverEvent: handoverEvent, record: record)
    }

    private static func message(in record: UnsafeMutablePointer<epitope_record>) -> Data {
        let start = UnsafeRawPointer(record) + MemoryLayout<epitope_record>.size
        return Data(UnsafeRawBufferPointer(start: start, count: Int(record.pointee.length)))
    }

    /// Records a call. Must be called right after the call was received.
    func record(_ call: epitope_notification) {
        shared.withLock { record in withUnsafePointer(to: call) { epitope_record_call(record, $0) } }
    }

    /// The call that was recorded last.
    private var lastCall: epitope_notification? {
        var call = epitope_notification()
        return shared.withLock { epitope_record_last_call($0, &call) } ? call : nil
    }

    /// The call that was in progress when the earlier agent was killed, if it still waits for its answer.
    var callInProgress: epitope_notification? {
        lastCall.flatMap { epitope_notification_is_valid(handover.listener, $0.id) ? $0 : nil }
    }

    /// Denies a call that the earlier agent had received and not yet recorded when it was killed. Only its id is known: the
    /// kernel hands ids out one by one (`seccomp_next_notify_id`), and refuses an answer to a call that nobody received.
    ///
    /// - Returns: whether there was one.
    func denyUnrecordedCall() -> Bool {
        lastCall.map { epitope_notification_deny(handover.listener, $0.id &+ 1, EPERM) == 0 } ?? false
    }

    /// How far the container's start has got.
    var start: ContainerStart {
        get {
            shared.withLock { record in
                let known = ContainerStart.Program(device: record.pointee.runtime_device, inode: record.pointee.runtime_inode)
                return ContainerStart(runtime: record.pointee.knows_runtime != 0 ? known : nil, isOver: record.pointee.has_started != 0)
            }
        }
        set {
            shared.withLock { record in
                record.pointee.runtime_device = newValue.runtime?.device ?? 0
                record.pointee.runtime_inode = newValue.runtime?.inode ?? 0
                record.pointee.knows_runtime = newValue.runtime == nil ? 0 : 1
                record.pointee.has_started = newValue.isOver ? 1 : 0
            }
        }
    }
}
