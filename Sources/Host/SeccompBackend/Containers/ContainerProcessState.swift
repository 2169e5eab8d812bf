// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FoundationEssentials

/// What a container's runtime sends with the notifications that it hands over: the container process state of the OCI
/// runtime specification (runtime.md), reduced to what is used.
///
/// A runtime sends it for each process that it starts under the filter: the container's own, and one for each `exec`.
public struct ContainerProcessState: Codable, Hashable, Sendable {
    /// The process under the filter, numbered as in the runtime's pid namespace.
    public var processID: Int32
    /// The profile's `listenerMetadata`.
    public var metadata: String
    /// The runtime's name of the container, unique on its machine: 64 hexadecimal digits from every engine, any text by hand.
    public var containerID: String
    /// The container's folder.
    public var bundle: String
    public var annotations: [String: String]

    public init(
        processID: Int32, metadata: String = "", containerID: String, bundle: String = "", annotations: [String: String] = [:]
    ) {
        self.processID = processID
        self.metadata = metadata
        self.containerID = containerID
        self.bundle = bundle
        self.annotations = annotations
    }
}

extension ContainerProcessState {
    /// The longest message that is read, in bytes: Kubernetes allows 256 KiB of annotations.
    static let maxMessageLength = 1 << 20
    /// The longest container id, in bytes: runc allows 1,024 characters.
    static let maxIDLength = 1024
    /// The specification's name for the descriptor of the notifications.
    static let listenerName = "seccompFd"

    /// Reads a message.
    ///
    /// - Parameter descriptors: how many came with the message.
    /// - Returns: the state, and which of the descriptors the notifications are read from.
    /// - Throws: `container-state-malformed`.
    static func read(_ bytes: [UInt8], descriptors: Int) throws(EpitopeError) -> (state: ContainerProcessState, listener: Int) {
        struct Message: Decodable {
            struct State: Decodable {
                var id: String
                var bundle: String?
                var annotations: [String: String]?
            }
            var fds: [String]
            var pid: Int32
            var metadata: String?
            var state: State
        }
        let message: Message
        do {
            message = try JSONDecoder().decode(Message.self, from: Data(bytes))
        } catch {
            throw malformed("it isn't a container process state")
        }
        guard message.fds.count == descriptors else {
            throw malformed("it names \(message.fds.count) descriptors, and \(descriptors) came with it")
        }
        let listeners = message.fds.indices.filter { message.fds[$0] == listenerName }
        guard listeners.count == 1, let listener = listeners.first else {
            throw malformed("it names \(listeners.count) descriptors \(listenerName), not one")
        }
        guard message.pid > 0 else { throw malformed("its process is \(message.pid)") }
        guard !message.state.id.isEmpty, message.state.id.utf8.count <= maxIDLength else {
            throw malformed("the container's id has \(message.state.id.utf8.count) bytes, not 1 to \(maxIDLength)")
        }
        return (
            ContainerProcessState(
                processID: message.pid, metadata: message.metadata ?? "", containerID: message.state.id,
                bundle: message.state.bundle ?? "", annotations: message.state.annotations ?? [:]),
            listener
        )
    }

    static func malformed(_ reason: String) -> EpitopeError {
        EpitopeError(
            .containerStateMalformed, "a container's runtime sent a malformed message: \(reason)",
            remedy: "the container fails at its first exec: use a runtime that follows the OCI runtime "
                + "specification 1.1, such as runc from 1.1 or crun from 1.0")
    }
}
