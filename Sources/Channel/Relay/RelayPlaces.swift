// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import NIOCore
import Synchronization

/// What a relay did so far.
public struct RelayCounts: Hashable, Sendable {
    /// Connections that were passed on.
    public var passed = 0
    /// Those that are open now, with those that have not said yet what they want.
    public var open = 0
    /// Bytes from hosts to centers, and back.
    public var bytesUp: UInt64 = 0
    public var bytesDown: UInt64 = 0
    /// Requests that were turned down, by their status.
    public var refused: [Int: Int] = [:]
    /// Connections that were closed at once: too many, too many of their machine, or of a network that may not use the relay.
    public var turnedAway = 0
    /// Connections that were ended for their age, for silence, or for what they carried.
    public var ended = 0

    public init() {}
}

/// The connections of a relay, counted in all and by machine.
final class RelayPlaces: Sendable {
    private struct State {
        var counts = RelayCounts()
        var ofMachine: [IPNetwork: Int] = [:]
        var channels: [ObjectIdentifier: any Channel] = [:]
        var isClosing = false
    }

    private let state = Mutex(State())
    private let bounds: RelayBounds
    private let allowed: [IPNetwork]

    /// - Parameter allowed: the networks that may use the relay; empty: all.
    init(_ bounds: RelayBounds, allowed: [IPNetwork]) {
        self.bounds = bounds
        self.allowed = allowed
    }

    var counts: RelayCounts { state.withLock { $0.counts } }

    func count(_ change: (inout RelayCounts) -> Void) { state.withLock { change(&$0.counts) } }

    /// Takes a place, which the channel's end gives back.
    ///
    /// - Returns: whether there was one.
    func take(_ channel: any Channel, from source: IPAddress?) -> Bool {
        let machine = source.map { IPNetwork.machine(of: $0) }
        let isTaken = state.withLock { state in
            let isAllowed = allowed.isEmpty || source.map { source in allowed.contains { $0.contains(source.unmapped) } } ?? false
            guard !state.isClosing, isAllowed, state.counts.open < bounds.connections,
                machine.map({ state.ofMachine[$0, default: 0] < bounds.connectionsOfMachine }) ?? true
            else {
                state.counts.turnedAway += 1
                return false
            }
            state.counts.open += 1
            if let machine { state.ofMachine[machine, default: 0] += 1 }
            state.channels[ObjectIdentifier(channel)] = channel
            return true
        }
        guard isTaken else { return false }
        let id = ObjectIdentifier(channel)
        channel.closeFuture.whenComplete { [self] _ in
            state.withLock { state in
                state.counts.open -= 1
                state.channels[id] = nil
                guard let machine, let count = state.ofMachine[machine] else { return }
                state.ofMachine[machine] = count > 1 ? count - 1 : nil
            }
        }
        return true
    }

    /// Ends all connections, and lets no other in.
    func close() {
        let channels = state.withLock { state in
            state.isClosing = true
            return Array(state.channels.values)
        }
        for channel in channels { channel.close(promise: nil) }
    }
}
