// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import NIOCore

/// How much a relay takes upon itself.
public struct RelayBounds: Hashable, Sendable {
    /// Connections at a time, each with one to a center; at least 1.
    public var connections = Self.defaultConnections
    /// Of one machine (an IPv4 address, or the /64 of an IPv6 address); at least 1.
    public var connectionsOfMachine = 64
    /// How long a connection stays on which nothing is said, in seconds: a center's answer may be awaited for a minute.
    public var idleSeconds: Int64 = 300
    /// How much one connection may carry in both directions, in megabytes; the host connects anew then.
    public var connectionMegabytes = 4096

    /// How long a host may take to say which center it asks for, and the center to answer, in seconds.
    static let openingSeconds: Int64 = 10
    /// How long the other side may go on once one has said all, in seconds.
    static let halfClosedSeconds: Int64 = 30
    /// How long a connection may last, in hours.
    static let connectionHours: Int64 = 24
    /// What waits in memory for a side that is slow, in bytes: from the second on nothing more is read, until the first.
    static let buffered = (low: 32 << 10, high: 64 << 10)
    /// The connections of ``connections``, where nothing else is asked for.
    public static let defaultConnections = 4096
    /// Descriptors that stay free.
    static let reserve = 32

    public init() {}

    /// What there are descriptors for.
    ///
    /// - Parameters:
    ///   - limit: of open files; `nil`: it isn't known.
    ///   - open: how many are open before the first connection.
    /// - Throws: `limit-too-low` where there is room for fewer than eight connections.
    public func within(limit: Int?, open: Int) throws(EpitopeError) -> RelayBounds {
        guard let limit else { return self }
        // Each has two.
        let room = (limit - open - Self.reserve) / 2
        guard room >= 8 else {
            throw EpitopeError(
                .relayLimitTooLow, "this process may have \(limit) files open, which leaves no room for connections",
                remedy: "raise the limit (LimitNOFILE= of the unit, or ulimit -n)")
        }
        var bounds = self
        bounds.connections = min(connections, room)
        return bounds
    }
}

extension EpitopeError.Code {
    /// A relay may have too few files open.
    static let relayLimitTooLow = EpitopeError.Code("relay-limit-too-low")
    /// A relay can't listen where it was told to.
    public static let relayNotListening = EpitopeError.Code("relay-not-listening")
}
