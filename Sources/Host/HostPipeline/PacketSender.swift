// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import HostStore
public import PacketCoding

/// Sends packets to the centers.
public protocol PacketSender: Sendable {
    /// Sends a packet and waits for the center's receipt, which is for this packet.
    ///
    /// - Throws: an `EpitopeError` whose code decides what becomes of the packet (``SendingFailure``). Any other error counts
    ///   as an unreachable center.
    func send(_ packet: EncodedPacket, to destination: Destination) async throws -> Receipt

    /// Tells a center how much this host withheld.
    ///
    /// - Throws: as ``send(_:to:)``; `not-served-here` by a center that takes no counts.
    func report(_ counts: WithheldCounts, to destination: Destination) async throws

    /// Opens a connection, so that the first packet need not wait for it. Failures are ignored: the first packet meets them.
    func prepare(_ destination: Destination) async
}

extension PacketSender {
    public func prepare(_ destination: Destination) async {}
    public func report(_ counts: WithheldCounts, to destination: Destination) async throws {}
}

/// Sends each destination's packets through functions of its own, such as those of a secure channel's client.
public struct RoutedSender: PacketSender {
    /// One destination's functions.
    public struct Route: Sendable {
        let send: @Sendable (EncodedPacket) async throws -> Receipt
        let report: @Sendable (WithheldCounts) async throws -> Void
        let prepare: @Sendable () async -> Void

        public init(
            send: @escaping @Sendable (EncodedPacket) async throws -> Receipt,
            report: @escaping @Sendable (WithheldCounts) async throws -> Void = { _ in },
            prepare: @escaping @Sendable () async -> Void = {}
        ) {
            self.send = send
            self.report = report
            self.prepare = prepare
        }
    }

    private let routes: [Destination: Route]

    public init(_ routes: [Destination: Route]) {
        self.routes = routes
    }

    public func send(_ packet: EncodedPacket, to destination: Destination) async throws -> Receipt {
        try await route(to: destination).send(packet)
    }

    public func report(_ counts: WithheldCounts, to destination: Destination) async throws {
        try await route(to: destination).report(counts)
    }

    private func route(to destination: Destination) throws(EpitopeError) -> Route {
        guard let route = routes[destination] else {
            throw EpitopeError(
                .destinationUnknown, "this host is not enrolled at a \(destination.rawValue) center",
                remedy: "enrol it there (`epitope enroll`), or leave that destination out of --send-to")
        }
        return route
    }

    public func prepare(_ destination: Destination) async {
        await routes[destination]?.prepare()
    }
}
