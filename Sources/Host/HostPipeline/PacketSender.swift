// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import HostStore

/// The way to the centers, as the pipeline needs it.
public protocol PacketSender: Sendable {
    /// Sends a packet and waits for the center's receipt.
    ///
    /// - Throws: an `EpitopeError` with the center's or the channel's code, which decides what becomes of the packet
    ///   (``SendingFailure``); anything else counts as unreachable.
    func send(_ packet: ExtractedPacket, to destination: Destination) async throws -> Receipt

    /// Opens what a first packet would have to wait for. Failures are left to the first packet to meet.
    func prepare(_ destination: Destination) async
}

extension PacketSender {
    public func prepare(_ destination: Destination) async {}
}

/// Sends each destination's packets by a function of its own: the clients of the secure channel fit in.
public struct RoutedSender: PacketSender {
    /// One destination's functions.
    public struct Route: Sendable {
        let send: @Sendable (ExtractedPacket) async throws -> Receipt
        let prepare: @Sendable () async -> Void

        public init(
            send: @escaping @Sendable (ExtractedPacket) async throws -> Receipt, prepare: @escaping @Sendable () async -> Void = {}
        ) {
            self.send = send
            self.prepare = prepare
        }
    }

    private let routes: [Destination: Route]

    public init(_ routes: [Destination: Route]) {
        self.routes = routes
    }

    public func send(_ packet: ExtractedPacket, to destination: Destination) async throws -> Receipt {
        guard let route = routes[destination] else {
            throw EpitopeError(
                .destinationUnknown, "this host has no way to a \(destination.rawValue) center",
                remedy: "enroll it there, or leave that destination out")
        }
        return try await route.send(packet)
    }

    public func prepare(_ destination: Destination) async {
        await routes[destination]?.prepare()
    }
}

extension EpitopeError.Code {
    /// Packets are to go to a center that this host is not enrolled at.
    public static let destinationUnknown = EpitopeError.Code("destination-unknown")
}
