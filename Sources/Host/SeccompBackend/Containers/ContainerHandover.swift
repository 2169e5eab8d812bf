// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import EpitopeModel
import Glibc

/// What came over one connection: a container's process, and the notifications of its calls.
struct ContainerHandover {
    /// How long a message that has begun may take to come whole, in seconds.
    static let patience: Int32 = 10

    var state: ContainerProcessState
    /// The notifications' descriptor, which is the receiver's to close.
    var listener: Int32

    /// Reads a connection until its message is whole. Blocks until the runtime sends: crun connects when it makes a
    /// container, and sends when it starts it. Whatever came and can't be used is closed, whereupon the process's critical
    /// calls fail.
    ///
    /// - Returns: `nil` when the runtime left without a word, as it does when a container can't be made.
    /// - Throws: `container-peer-refused`, `container-state-malformed`.
    static func receive(from connection: Int32) throws(EpitopeError) -> ContainerHandover? {
        try check(connection)
        var descriptors = [Int32](repeating: -1, count: Int(EPITOPE_MAX_DESCRIPTORS))
        var count: Int32 = 0
        var kept: Int32 = -1
        defer { for descriptor in descriptors.prefix(Int(count)) where descriptor != kept { close(descriptor) } }

        guard let message = try readMessage(connection, &descriptors, &count) else { return nil }
        let (state, index) = try ContainerProcessState.read(message, descriptors: Int(count))
        guard epitope_is_listener(descriptors[index]) else {
            throw ContainerProcessState.malformed("its descriptor is not one of seccomp notifications")
        }
        kept = descriptors[index]
        return ContainerHandover(state: state, listener: kept)
    }

    /// The socket's mode keeps others out; should somebody have changed it, this does.
    private static func check(_ connection: Int32) throws(EpitopeError) {
        var process: pid_t = 0
        var user: uid_t = 0
        guard epitope_peer(connection, &process, &user) == 0, user == 0 else {
            throw EpitopeError(
                .containerPeerRefused, "process \(process) of user \(user) wanted to hand over a container",
                remedy: "Only root's runtimes may: containers of other users run under epitope run. Look at who changed "
                    + "the socket's mode.")
        }
    }

    private static func readMessage(
        _ connection: Int32, _ descriptors: inout [Int32], _ count: inout Int32
    ) throws(EpitopeError) -> [UInt8]? {
        var message: [UInt8] = []
        var end = MessageEnd()
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while !end.isComplete {
            let received = epitope_receive(connection, &chunk, chunk.count, &descriptors, &count)
            if received == 0 || received == -Int(ECONNRESET), message.isEmpty { return nil }
            guard received > 0 else {
                throw ContainerProcessState.malformed(
                    received == 0 ? "it ends early" : "it can't be read (\(String(cString: strerror(Int32(-received)))))")
            }
            if message.isEmpty { _ = epitope_set_receive_timeout(connection, patience) }
            message += chunk[..<received]
            end.take(chunk[..<received])
            guard message.count <= ContainerProcessState.largestMessage else {
                throw ContainerProcessState.malformed("it is longer than \(ContainerProcessState.largestMessage) bytes")
            }
            guard !end.isWrong else { throw ContainerProcessState.malformed("it is no container process state") }
        }
        return message
    }
}
