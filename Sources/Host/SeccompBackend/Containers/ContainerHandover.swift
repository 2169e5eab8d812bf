// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import EpitopeModel
import Glibc

/// What a runtime sends over one connection: a container's process, and the notifications of its calls.
struct ContainerHandover {
    /// How long the rest of a message may take after its first bytes, in seconds.
    static let receiveTimeoutSeconds: Int32 = 10
    /// How many bytes are received at once.
    private static let chunkSize = 64 << 10

    var state: ContainerProcessState
    /// The notifications' descriptor, which is the receiver's to close.
    var listener: Int32

    /// Reads a connection until its message is complete. Blocks until the runtime sends it: crun connects when it creates a
    /// container, and sends when it starts it. Descriptors that can't be used are closed, and then the process's critical
    /// calls fail.
    ///
    /// - Returns: `nil` if the runtime closed the connection without a message, as it does when a container can't be created.
    /// - Throws: `container-peer-refused`, `container-state-malformed`.
    static func receive(from connection: Int32) throws(EpitopeError) -> ContainerHandover? {
        try check(connection)
        var descriptors = [Int32](repeating: -1, count: Int(EPITOPE_MAX_DESCRIPTORS))
        var count: Int32 = 0
        var accepted: Int32 = -1
        defer { for descriptor in descriptors.prefix(Int(count)) where descriptor != accepted { close(descriptor) } }

        guard let message = try readMessage(connection, &descriptors, &count) else { return nil }
        let (state, index) = try ContainerProcessState.read(message, descriptors: Int(count))
        guard epitope_is_listener(descriptors[index]) else {
            throw ContainerProcessState.malformed("its descriptor is not one of seccomp notifications")
        }
        accepted = descriptors[index]
        return ContainerHandover(state: state, listener: accepted)
    }

    /// The socket's mode admits only root. This check holds even if somebody has changed it.
    private static func check(_ connection: Int32) throws(EpitopeError) {
        var process: pid_t = 0
        var user: uid_t = 0
        guard epitope_peer(connection, &process, &user) == 0, user == 0 else {
            throw EpitopeError(
                .containerPeerRefused, "process \(process) of user \(user) tried to hand over a container",
                remedy: "only root's runtimes may: run containers of other users under epitope run, and check who changed the "
                    + "socket's mode")
        }
    }

    private static func readMessage(
        _ connection: Int32, _ descriptors: inout [Int32], _ count: inout Int32
    ) throws(EpitopeError) -> [UInt8]? {
        var message: [UInt8] = []
        var end = MessageEnd()
        var chunk = [UInt8](repeating: 0, count: chunkSize)
        while !end.isComplete {
            let received = epitope_receive(connection, &chunk, chunk.count, &descriptors, &count)
            if received == 0 || received == -Int(ECONNRESET), message.isEmpty { return nil }
            guard received > 0 else {
                throw ContainerProcessState.malformed(
                    received == 0 ? "it ends early" : "it can't be read (\(String(cString: strerror(Int32(-received)))))")
            }
            if message.isEmpty { _ = epitope_set_receive_timeout(connection, receiveTimeoutSeconds) }
            message += chunk[..<received]
            end.scan(chunk[..<received])
            guard message.count <= ContainerProcessState.maxMessageLength else {
                throw ContainerProcessState.malformed("it is longer than \(ContainerProcessState.maxMessageLength) bytes")
            }
            guard !end.isMalformed else { throw ContainerProcessState.malformed("it isn't a container process state") }
        }
        return message
    }
}
