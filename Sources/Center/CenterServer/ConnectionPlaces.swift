// SPDX-License-Identifier: Apache-2.0

import CenterMetrics
import EpitopeModel
import NIOCore
import SecureChannel
import Synchronization

/// Who may stay connected when places run short. What a connection costs doesn't depend on how many there are.
///
/// A peer has a place of its own once it has shown a certificate that is in force. Those that have not are few, few from one machine,
/// are given up for newer ones, and have seconds: connections that say nothing, or ask nothing, keep nobody out. When the identified
/// are too many, the one that asked for nothing for the longest goes; a host connects again when it has something to say. Nobody has
/// many by one certificate's name, whatever they are busy with.
final class ConnectionPlaces: Sendable {
    fileprivate struct Place {
        var channel: any Channel
        /// The machine that it comes from; `nil`: that isn't known.
        var machine: IPNetwork?
        /// The address that a relay told; `nil`: it comes straight.
        var toldSource: IPAddress?
        /// When it was last of use: counts up.
        var turn: UInt64
        /// Whose certificate it is; `nil`: nobody was identified yet.
        var peer: PeerCertificate?
        /// Requests that are being answered.
        var requests = 0
        /// Requests so far.
        var begun = 0
        /// Whether the peer says no more: its connection, or its side of it, has ended.
        var hasLeft = false
        /// Called when it has.
        var onLeaving: (@Sendable () -> Void)?
        /// Enrolments on it that came to nothing, through a fault of the peer.
        var refusedEnrolments = 0
    }

    /// How many places there are, and for whom.
    struct Limits: Hashable, Sendable {
        var places: Int
        /// A quarter of all, and at least one: for peers that nobody knows yet.
        var unidentified: Int { max(1, places / 4) }
        /// An eighth of these, for one machine: many come from one behind a device that translates addresses.
        var unidentifiedOfMachine: Int { max(4, unidentified / 8) }
        /// For one identity: every `epitope run` of a machine has a connection.
        var ofPeer: Int { max(8, places / 64) }
    }

    fileprivate struct State {
        var places: [ObjectIdentifier: Place] = [:]
        /// Of the identified those without a request under way, and those who are not identified.
        var (idle, unidentified) = (UseOrder(), UseOrder())
        var ofPeer: [Identity: Set<ObjectIdentifier>] = [:]
        var ofMachine: [IPNetwork: Set<ObjectIdentifier>] = [:]
        var unidentifiedCount = 0
        var turn: UInt64 = 0
    }

    /// How long a peer may stay without having been identified, once it has had an answer or none.
    static let unidentifiedTime = TimeAmount.seconds(15)

    private let state = Mutex(State())
    private let limits: Limits
    private let counters: CenterCounters

    init(max: Int, counters: CenterCounters = CenterCounters()) {
        limits = Limits(places: max)
        self.counters = counters
    }

    /// - Parameter isRelay: whether a relay passes it on, which is to tell whose it is (``told(_:source:)``).
    func opened(_ channel: any Channel, isRelay: Bool = false) {
        let id = ObjectIdentifier(channel)
        let machine = isRelay ? nil : channel.remoteAddress?.ipAddress.flatMap { IPAddress($0) }.map { IPNetwork.machine(of: $0) }
        let victim = state.withLock { state in
            state.add(Place(channel: channel, machine: machine, turn: 0), id)
            return state.takeVictim(limits, for: machine)
        }
        counters.connectionsOpened.add()
        end(victim)
        let time = channel.eventLoop.scheduleTask(in: Self.unidentifiedTime) { [self] in
            let isUnknown = state.withLock { $0.places[id].map { $0.peer == nil } ?? false }
            if isUnknown { end((channel, .unidentifiedTime)) }
        }
        channel.closeFuture.whenComplete { [self] _ in
            time.cancel()
            left(channel)
            state.withLock { _ = $0.remove(id) }
        }
    }

    /// A relay told whose connection it is.
    func told(_ channel: any Channel, source: IPAddress) {
        let machine = IPNetwork.machine(of: source)
        let victim = state.withLock { state in
            state.tell(ObjectIdentifier(channel), source, machine)
            return state.takeVictim(limits, for: machine)
        }
        end(victim)
    }

    /// Where a connection comes from, as a relay told.
    func toldSource(of channel: any Channel) -> IPAddress? { state.withLock { $0.places[ObjectIdentifier(channel)]?.toldSource } }

    /// A relay didn't tell whose connection it is.
    func untold(_ channel: any Channel) { end((channel, .relayUntold)) }

    /// The peer says no more.
    func left(_ channel: any Channel) {
        let onLeaving = state.withLock { state in
            state.places[ObjectIdentifier(channel)]?.hasLeft = true
            return state.places[ObjectIdentifier(channel)]?.onLeaving.take()
        }
        onLeaving?()
    }

    /// Does something for the peer of a connection. When that has left, the task of it is cancelled: nobody takes what comes of it.
    func whilePresent<Value: Sendable>(
        on channel: any Channel, _ body: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let task = Task { try await body() }
        let id = ObjectIdentifier(channel)
        let isGone = state.withLock { state in
            state.places[id]?.onLeaving = { task.cancel() }
            return state.places[id]?.hasLeft ?? true
        }
        if isGone { task.cancel() }
        defer { state.withLock { $0.places[id]?.onLeaving = nil } }
        return try await withTaskCancellationHandler {
            try await task.value
        } onCancel: {
            task.cancel()
        }
    }

    /// The peer has shown a certificate that is in force.
    func identified(_ channel: any Channel, as peer: PeerCertificate) {
        let id = ObjectIdentifier(channel)
        let victim = state.withLock { $0.identify(id, as: peer, limits) }
        end(victim.map { ($0, .peerRoom) })
    }

    private func end(_ victim: (any Channel, ConnectionEnd)?) {
        guard let (channel, why) = victim else { return }
        counters.connectionsEnded.add(why)
        channel.close(promise: nil)
    }

    /// Whom a connection was identified as: a connection keeps the certificate that it began with (TLS 1.3 has no renegotiation).
    /// Whether that is still in force is another question.
    func peer(of channel: any Channel) -> PeerCertificate? {
        state.withLock { $0.places[ObjectIdentifier(channel)]?.peer }
    }

    func requestBegan(_ channel: any Channel) {
        state.withLock { state in
            state.use(ObjectIdentifier(channel)) { place in
                place.requests += 1
                place.begun += 1
            }
        }
    }

    func requestEnded(_ channel: any Channel) { state.withLock { $0.use(ObjectIdentifier(channel)) { $0.requests -= 1 } } }

    /// Closes a connection whose peer doesn't take the answer to the request under way within a time: as long as it waits in memory.
    func closeUnlessTaken(_ channel: any Channel, within time: TimeAmount) {
        let id = ObjectIdentifier(channel)
        let request = state.withLock { $0.places[id]?.begun }
        channel.eventLoop.scheduleTask(in: time) { [self] in
            // A peer that has asked again has taken it, and one that is gone has no place.
            guard !channel.isWritable, state.withLock({ $0.places[id]?.begun }) == request else { return }
            end((channel, .answerNotTaken))
        }
    }

    func enrolmentRefused(on channel: any Channel) {
        state.withLock { $0.places[ObjectIdentifier(channel)]?.refusedEnrolments += 1 }
    }

    func refusedEnrolments(on channel: any Channel) -> Int {
        state.withLock { $0.places[ObjectIdentifier(channel)]?.refusedEnrolments ?? 0 }
    }

    /// How many are connected.
    var count: Int { state.withLock { $0.places.count { !$0.value.hasLeft } } }

    /// Who is connected.
    var use: ConnectionUse {
        state.withLock { state in
            ConnectionUse(
                identified: state.places.count - state.unidentifiedCount, unidentified: state.unidentifiedCount, places: limits.places)
        }
    }
}

extension ConnectionPlaces.State {
    fileprivate mutating func add(_ place: ConnectionPlaces.Place, _ id: ObjectIdentifier) {
        places[id] = place
        unidentifiedCount += 1
        if let machine = place.machine { ofMachine[machine, default: []].insert(id) }
        use(id) { _ in }
    }

    /// Notes whose connection it is, which nobody was identified by yet.
    fileprivate mutating func tell(_ id: ObjectIdentifier, _ source: IPAddress, _ machine: IPNetwork) {
        guard places[id] != nil, places[id]?.peer == nil, places[id]?.machine == nil else { return }
        places[id]?.toldSource = source
        places[id]?.machine = machine
        ofMachine[machine, default: []].insert(id)
    }

    /// Notes that a connection is of use.
    fileprivate mutating func use(_ id: ObjectIdentifier, _ change: (inout ConnectionPlaces.Place) -> Void) {
        guard var place = places[id] else { return }
        turn += 1
        place.turn = turn
        change(&place)
        places[id] = place
        let isCurrent = { [places] (id: ObjectIdentifier, turn: UInt64) in places[id]?.turn == turn }
        if place.peer == nil {
            unidentified.add(id, turn, where: isCurrent)
        } else if place.requests == 0 {
            idle.add(id, turn, where: isCurrent)
        }
    }

    fileprivate mutating func identify(
        _ id: ObjectIdentifier, as peer: PeerCertificate, _ limits: ConnectionPlaces.Limits
    ) -> (any Channel)? {
        guard let known = places[id] else { return nil }
        use(id) { $0.peer = peer }
        guard known.peer == nil else { return nil }
        unidentifiedCount -= 1
        if let machine = known.machine { leave(&ofMachine, machine, id) }
        ofPeer[peer.identity, default: []].insert(id)
        guard let own = ofPeer[peer.identity], own.count > limits.ofPeer else { return nil }
        return leastUsed(of: own).flatMap { remove($0)?.channel }
    }

    /// Takes the place that is given up for one that was opened: one of its machine's, or of those that nobody knows, if these are too
    /// many, and else that of the identified one without a request under way that was of use the longest ago.
    fileprivate mutating func takeVictim(_ limits: ConnectionPlaces.Limits, for machine: IPNetwork?) -> (any Channel, ConnectionEnd)? {
        if let own = machine.flatMap({ ofMachine[$0] }), own.count > limits.unidentifiedOfMachine {
            return leastUsed(of: own).flatMap { remove($0)?.channel }.map { ($0, .machineRoom) }
        }
        if unidentifiedCount > limits.unidentified {
            return takeFirst(of: \.unidentified).flatMap { remove($0)?.channel }.map { ($0, .unidentifiedRoom) }
        }
        guard places.count > limits.places else { return nil }
        return (takeFirst(of: \.idle) ?? takeFirst(of: \.unidentified)).flatMap { remove($0)?.channel }.map { ($0, .room) }
    }

    private mutating func takeFirst(of order: WritableKeyPath<Self, UseOrder>) -> ObjectIdentifier? {
        let places = places
        return self[keyPath: order].takeFirst { id, turn in places[id]?.turn == turn }
    }

    /// Of a few: of those without a request under way, if there are any, the one that was of use the longest ago.
    private func leastUsed(of ids: Set<ObjectIdentifier>) -> ObjectIdentifier? {
        func rank(_ id: ObjectIdentifier) -> (Int, UInt64) {
            (places[id].map { $0.requests > 0 ? 1 : 0 } ?? 0, places[id]?.turn ?? 0)
        }
        return ids.min { rank($0) < rank($1) }
    }

    @discardableResult
    fileprivate mutating func remove(_ id: ObjectIdentifier) -> ConnectionPlaces.Place? {
        guard let place = places.removeValue(forKey: id) else { return nil }
        if let peer = place.peer {
            leave(&ofPeer, peer.identity, id)
        } else {
            unidentifiedCount -= 1
            if let machine = place.machine { leave(&ofMachine, machine, id) }
        }
        return place
    }

    private func leave<Key: Hashable>(_ groups: inout [Key: Set<ObjectIdentifier>], _ key: Key, _ id: ObjectIdentifier) {
        groups[key]?.remove(id)
        if groups[key]?.isEmpty == true { groups[key] = nil }
    }
}

/// Tells when a peer says no more, also while its request is answered: what it asked for may still wait.
final class PeerPresence: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    private let places: ConnectionPlaces

    init(_ places: ConnectionPlaces) { self.places = places }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed { places.left(context.channel) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        places.left(context.channel)
        context.fireChannelInactive()
    }
}
