// SPDX-License-Identifier: Apache-2.0

import NIOCore
import SecureChannel
import Synchronization

/// Who may stay connected when places run short.
///
/// A peer has a place of its own once it has shown a certificate that is in force. Those that have not are few, are given up for
/// newer ones, and have seconds: connections that say nothing, or ask nothing, keep nobody out. When the identified are too many,
/// the one that asked for nothing for the longest goes; a host connects again when it has something to say.
final class ConnectionPlaces: Sendable {
    private struct Place {
        var channel: any Channel
        /// When it was last of use: counts up.
        var turn: UInt64
        /// Whose certificate it is; `nil`: nobody was identified yet.
        var peer: PeerCertificate?
        var isIdentified: Bool { peer != nil }
        /// Requests that are being answered.
        var requests = 0
    }

    private struct State {
        var places: [ObjectIdentifier: Place] = [:]
        var unidentified = 0
        var turn: UInt64 = 0

        /// Takes the place that is given up: of those without a request under way the one that was of use the longest ago.
        mutating func takeVictim(identified: Bool) -> Place? {
            let victim = places.filter { _, place in place.isIdentified == identified && (!identified || place.requests == 0) }
                .min { $0.value.turn < $1.value.turn }
            return victim.flatMap { remove($0.key) }
        }

        @discardableResult
        mutating func remove(_ id: ObjectIdentifier) -> Place? {
            guard let place = places.removeValue(forKey: id) else { return nil }
            if !place.isIdentified { unidentified -= 1 }
            return place
        }
    }

    /// The share of all places that peers may have which nobody knows: a quarter.
    private static let unidentifiedShare = 4
    /// How long a peer may stay without having been identified, once it has had an answer or none.
    static let unidentifiedTime = TimeAmount.seconds(15)

    private let state = Mutex(State())
    private let max: Int

    init(max: Int) { self.max = max }

    func opened(_ channel: any Channel) {
        let id = ObjectIdentifier(channel)
        let victim: Place? = state.withLock { state in
            state.turn += 1
            state.places[id] = Place(channel: channel, turn: state.turn)
            state.unidentified += 1
            if state.unidentified > Swift.max(1, max / Self.unidentifiedShare) { return state.takeVictim(identified: false) }
            return state.places.count > max ? state.takeVictim(identified: true) ?? state.takeVictim(identified: false) : nil
        }
        victim?.channel.close(promise: nil)
        let time = channel.eventLoop.scheduleTask(in: Self.unidentifiedTime) { [self] in
            let isUnknown = state.withLock { $0.places[id].map { !$0.isIdentified } ?? false }
            if isUnknown { channel.close(promise: nil) }
        }
        channel.closeFuture.whenComplete { [self] _ in
            time.cancel()
            state.withLock { _ = $0.remove(id) }
        }
    }

    /// The peer has shown a certificate that is in force.
    func identified(_ channel: any Channel, as peer: PeerCertificate) {
        change(channel) { place, state in
            if !place.isIdentified { state.unidentified -= 1 }
            place.peer = peer
        }
    }

    /// Whom a connection was identified as: a connection keeps the certificate that it began with (TLS 1.3 has no renegotiation).
    /// Whether that is still in force is another question.
    func peer(of channel: any Channel) -> PeerCertificate? {
        state.withLock { $0.places[ObjectIdentifier(channel)]?.peer }
    }

    func requestBegan(_ channel: any Channel) { change(channel) { place, _ in place.requests += 1 } }
    func requestEnded(_ channel: any Channel) { change(channel) { place, _ in place.requests -= 1 } }

    /// How many are connected.
    var count: Int { state.withLock { $0.places.count } }

    private func change(_ channel: any Channel, _ body: (inout Place, inout State) -> Void) {
        let id = ObjectIdentifier(channel)
        state.withLock { state in
            guard var place = state.places[id] else { return }
            state.turn += 1
            place.turn = state.turn
            body(&place, &state)
            state.places[id] = place
        }
    }
}
