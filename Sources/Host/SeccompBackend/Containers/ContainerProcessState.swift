// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FoundationEssentials

/// What a container's runtime says with the notifications that it hands over: the container process state of the OCI
/// runtime specification (runtime.md), of which this is what is used.
///
/// A runtime sends it for each process that it starts under the filter: the container's own, and one for each `exec`.
public struct ContainerProcessState: Codable, Hashable, Sendable {
    /// The process under the filter, as the runtime's pid namespace numbers it.
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
    /// The longest message that is read: Kubernetes takes 256 KiB of annotations.
    static let largestMessage = 1 << 20
    /// runc takes 1,024 characters.
    static let longestID = 1024
    /// What the specification calls the descriptor of the notifications.
    static let listenerName = "seccompFd"

    /// Reads a message.
    ///
    /// - Parameter descriptors: how many came with it.
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
            throw malformed("it is no container process state")
        }
        guard message.fds.count == descriptors else {
            throw malformed("it names \(message.fds.count) descriptors, and \(descriptors) came with it")
        }
        let listeners = message.fds.indices.filter { message.fds[$0] == listenerName }
        guard listeners.count == 1, let listener = listeners.first else {
            throw malformed("it names \(listeners.count) descriptors \(listenerName), not one")
        }
        guard message.pid > 0 else { throw malformed("its process is \(message.pid)") }
        guard !message.state.id.isEmpty, message.state.id.utf8.count <= longestID else {
            throw malformed("the container's id has \(message.state.id.utf8.count) bytes, not 1 to \(longestID)")
        }
        return (
            ContainerProcessState(
                processID: message.pid, metadata: message.metadata ?? "", containerID: message.state.id,
                bundle: message.state.bundle ?? "", annotations: message.state.annotations ?? [:]),
            listener
        )
    }

    static func malformed(_ what: String) -> EpitopeError {
        EpitopeError(
            .containerStateMalformed, "a container's runtime sent a message that can't be used: \(what)",
            remedy: "Its container doesn't get further than its first exec. Use a runtime that follows the OCI runtime "
                + "specification 1.1, such as runc from 1.1 or crun from 1.0.")
    }
}

/// Finds the end of a JSON object that comes in pieces. A runtime may keep its connection open: the end of the stream says
/// nothing, and what can't be the start of an object need not be waited for.
struct MessageEnd {
    private var depth = 0
    private var isInText = false
    private var isEscaped = false
    private(set) var isComplete = false
    /// Something else than an object, or something after it.
    private(set) var isWrong = false

    mutating func take(_ bytes: some Sequence<UInt8>) {
        for byte in bytes where !isWrong {
            if isInText {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInText = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: " "), UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\t"): continue
            case _ where isComplete: isWrong = true
            case UInt8(ascii: "{"): depth += 1
            case _ where depth == 0: isWrong = true
            case UInt8(ascii: "}"):
                depth -= 1
                isComplete = depth == 0
            case UInt8(ascii: "\""): isInText = true
            default: continue
            }
        }
    }
}
