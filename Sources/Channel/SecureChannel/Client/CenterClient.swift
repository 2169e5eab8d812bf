// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import PacketCoding
public import Signatures
import Synchronization

/// A host's or local center's client of one site's centers: mutual TLS 1.3, with the site's authority as the only trust. Connections
/// stay open, so that a packet needs no new handshake.
///
/// Of several centers the one that answered last is asked. Where it doesn't answer, or can't use its store or key, the others are asked
/// in turn, in the same call: every message is safe to send twice, since a center keeps the first of two with one id.
///
/// Every method throws an ``EpitopeError``: `center-unreachable`, `center-wrong`, `answer-malformed`, or the center's
/// own refusal with its code (`certificate-expired`, `certificate-not-yet-valid`, `certificate-foreign`, `revoked`, `role-not-allowed`,
/// `identity-mismatch`, `packet-too-large`, ...). End it with ``shutdown()``.
public final class CenterClient: Sendable {
    private struct State {
        var identity: StoredIdentity
        /// One a center, in the order of the identity's list.
        var transports: [CenterTransport]
        var choice: CenterChoice
        /// The transports of the previous certificate, on which requests that were under way at a renewal end.
        var retired: [CenterTransport] = []
    }

    private let state: Mutex<State>
    private let offers = Mutex(CodeOffers())
    private let note: SenderNote.Source

    /// - Parameter note: what the client says of itself.
    /// - Throws: `key-malformed`, `certificate-malformed`.
    public convenience init(_ identity: StoredIdentity, note: @escaping SenderNote.Source = { .own() }) throws(EpitopeError) {
        try self.init(identity, note: note, choice: CenterChoice())
    }

    init(_ identity: StoredIdentity, note: @escaping SenderNote.Source = { .own() }, choice: CenterChoice) throws(EpitopeError) {
        self.note = note
        state = Mutex(State(identity: identity, transports: try Self.transports(identity, note), choice: choice))
    }

    private static func transports(_ identity: StoredIdentity, _ note: @escaping SenderNote.Source) throws(EpitopeError)
        -> [CenterTransport]
    {
        var transports: [CenterTransport] = []
        for center in identity.centers.addresses { transports.append(try CenterTransport(identity, at: center, note: note)) }
        return transports
    }

    /// The identity that this client authenticates with; a renewal replaces it.
    public var identity: StoredIdentity { state.withLock { $0.identity } }

    /// The center that is asked first.
    public var center: CenterAddress { state.withLock { $0.identity.centers.addresses[$0.choice.current] } }

    /// Sends an extracted packet. When this method returns, the center has stored the packet, and the sender may delete it.
    public func send(_ packet: EncodedPacket) async throws(EpitopeError) -> Receipt {
        try await deliver(packet.bytes, to: ChannelPath.packets, id: packet.id, offeredAs: CodeOffer(packet))
    }

    /// Sends a message, by its offer if that is due and taken, else whole.
    private func deliver(
        _ bytes: [UInt8], to path: String, id: String, offeredAs offer: CodeOffer?
    ) async throws(EpitopeError) -> Receipt {
        if let offer, let receipt = try await deliver(offer, id: id) { return receipt }
        do {
            let receipt = try await deliver(bytes, to: path, id: id)
            if let offer { offers.withLock { $0.acknowledged(offer) } }
            return receipt
        } catch {
            offers.withLock { $0.refused(with: error.code, now: .now) }
            throw error
        }
    }

    /// - Returns: `nil` where the packet is to be sent whole.
    private func deliver(_ offer: CodeOffer, id: String) async throws(EpitopeError) -> Receipt? {
        guard offers.withLock({ $0.isDue(offer, now: .now) }) else { return nil }
        do {
            return try await deliver(offer.frame, to: offer.path, id: id)
        } catch {
            offers.withLock { $0.refused(with: error.code, now: .now) }
            guard error.code == .codeWanted || error.code == .notServedHere else { throw error }
            return nil
        }
    }

    /// Tells the center how much this host withheld.
    public func report(_ counts: WithheldCounts) async throws(EpitopeError) {
        let _: [String: String] = try await ask { (transport) async throws(EpitopeError) in
            try await transport.postJSON(ChannelPath.withheld, counts)
        }
    }

    /// Forwards a site's packet and signature to the global center.
    public func forward(_ forward: ForwardedPacket) async throws(EpitopeError) -> Receipt {
        let bytes = forward.encoded()
        return try await deliver(bytes, to: ChannelPath.forwards, id: forward.id, offeredAs: CodeOffer(forward: bytes))
    }

    /// Publishes an update of this site at the global center. The receipt is for the signature's id.
    public func publish(_ update: SignatureUpdate) async throws(EpitopeError) -> Receipt {
        try await deliver(update.encoded(), to: ChannelPath.updates, id: update.signature.id)
    }

    /// What the center published after a position in its feed, oldest first. When there is nothing, the center holds the answer
    /// back until there is something or `waitSeconds` (at most 60) are over; then it is empty. A center that doesn't know the
    /// position answers with the feed's beginning.
    public func updates(after position: FeedPosition, waitSeconds: Int) async throws(EpitopeError) -> FeedPage {
        let wait = min(max(waitSeconds, 0), Self.maxWaitSeconds)
        return try await ask { (transport) async throws(EpitopeError) in
            let bytes = try await transport.get(
                "\(ChannelPath.updates)?after=\(position.sequence)&mark=\(position.mark)&wait=\(wait)", waitSeconds: wait)
            do {
                return try WireCoding.updates(bytes)
            } catch {
                throw ChannelFailure.malformedAnswer(of: transport.center)
            }
        }
    }

    /// Opens a connection, if none is open, so that the next packet need not wait for it; to the preferred center, if that is due again.
    /// Throws when the center refuses the identity.
    ///
    /// - Returns: whether to keep it open, and when to do this again; the site's centers, where they are others now; and what the center
    ///   says of its authorities.
    @discardableResult package func warmUp() async throws(EpitopeError) -> (
        advice: KeepAliveAdvice, centers: CenterList?, authority: AuthorityNews?
    ) {
        await returnIfDue()
        let (answer, reached) = try await ask { (transport) async throws(EpitopeError) in
            (try await transport.get(ChannelPath.health, waitSeconds: 0), transport.center)
        }
        let health = try? ChannelJSON.decode(Health.self, from: answer)
        return (health?.keepAlive ?? .unknown, identity.centers.following(health?.centers ?? [], from: reached), health?.authority)
    }

    /// Makes sure that another form of this identity can be used: of all centers that can be reached, each lets it in and is trusted by it.
    ///
    /// - Throws: what the first says that doesn't; `center-unreachable` where none can be reached.
    func check(_ identity: StoredIdentity) async throws(EpitopeError) {
        let transports = try Self.transports(identity, note)
        var failure: EpitopeError?
        var reached = false
        for transport in transports where failure.map({ $0.code == .centerUnreachable }) ?? true {
            do throws(EpitopeError) {
                _ = try await transport.get(ChannelPath.health, waitSeconds: 0)
                reached = true
            } catch {
                failure = error
            }
        }
        for transport in transports { await transport.shutdown() }
        if let failure, failure.code != .centerUnreachable || !reached { throw failure }
    }

    /// What this client reads of an answer about the center's health.
    private struct Health: Decodable {
        var keepAlive: KeepAliveAdvice?
        var centers: [String]?
        var authority: AuthorityNews?
    }

    /// Goes back to the preferred center, where that answers again.
    private func returnIfDue() async {
        let (number, transports) = state.withLock { ($0.choice.returning, $0.transports) }
        guard let number else { return }
        do throws(EpitopeError) {
            _ = try await transports[number].get(ChannelPath.health, waitSeconds: 0)
            moved(to: number, transports)
        } catch {
            state.withLock { $0.choice.stillFails() }
        }
    }

    /// Gets a new certificate for a new key, stores both in `directory`, and uses them from then on.
    ///
    /// - Returns: what the center says of its authorities; `nil` from a center of a version that says it with its health alone.
    @discardableResult package func renew(storingIn directory: String) async throws(EpitopeError) -> AuthorityNews? {
        let old = identity
        let made = try KeyWithRequest()
        let answer: IssuedCertificate = try await ask { (transport) async throws(EpitopeError) in
            try await transport.postJSON(ChannelPath.renew, RenewalRequest(request: made.requestPEM, trusts: old.trusts))
        }
        let new = try old.renewed(keyPEM: made.keyPEM, certificatePEM: answer.certificate)
        // Stored first: a certificate that a crash loses would have to be got anew.
        try new.save(in: directory)
        try await adopt(new)
        return answer.authorities
    }

    /// Uses another identity from now on, such as one that another process has stored. Requests under way end on the old one.
    ///
    /// - Throws: `key-malformed`, `certificate-malformed`: then the old one stays.
    public func adopt(_ new: StoredIdentity) async throws(EpitopeError) {
        let fresh = try Self.transports(new, note)
        let outdated = state.withLock { state in
            let outdated = state.retired
            // Who was moved to another center stays there.
            let choice = state.identity.centers == new.centers ? state.choice : CenterChoice()
            state = State(identity: new, transports: fresh, choice: choice, retired: state.transports)
            return outdated
        }
        for transport in outdated { await transport.shutdown() }
    }

    /// Closes the connections. Requests under way fail with `center-unreachable`.
    public func shutdown() async {
        for transport in state.withLock({ $0.transports + $0.retired }) { await transport.shutdown() }
    }

    /// How long a center holds a long poll open, in seconds: below the idle limits of common middleboxes.
    public static let maxWaitSeconds = 60

    private func deliver(_ bytes: [UInt8], to path: String, id: String) async throws(EpitopeError) -> Receipt {
        try await ask { (transport) async throws(EpitopeError) in
            let answer = try await transport.postProtobuf(path, bytes)
            // A receipt for another message does not count.
            guard let receipt = try? Receipt(encoded: answer), receipt.id == id else {
                throw ChannelFailure.malformedAnswer(of: transport.center)
            }
            return receipt
        }
    }
}

/// Several centers of one site.
extension CenterClient {
    /// Asks the center in use, and where that can't do it each other one, until one answers.
    ///
    /// - Throws: the answer of a center that refuses; where none answers, why the one in use did not, with the others named.
    func ask<Answer: Sendable>(
        _ request: (CenterTransport) async throws(EpitopeError) -> Answer
    ) async throws(EpitopeError) -> Answer {
        let (transports, order) = state.withLock { ($0.transports, $0.choice.order(of: $0.transports.count)) }
        var failures: [EpitopeError] = []
        for number in order {
            do throws(EpitopeError) {
                let answer = try await request(transports[number])
                moved(to: number, transports)
                return answer
            } catch {
                guard EpitopeError.Code.reasonsForAnotherCenter.contains(error.code) else {
                    moved(to: number, transports)
                    throw error
                }
                failures.append(error)
                if Task.isCancelled { break }
            }
        }
        throw Self.error(for: failures)
    }

    /// Notes who answered, unless the list is another one meanwhile.
    private func moved(to number: Int, _ transports: [CenterTransport]) {
        state.withLock { state in
            guard state.transports.map(\.center) == transports.map(\.center) else { return }
            state.choice.moved(to: number)
        }
    }

    private static func error(for failures: [EpitopeError]) -> EpitopeError {
        let first = failures[0]
        guard failures.count > 1 else { return first }
        return EpitopeError(first.code, failures.map(\.message).joined(separator: "; "), remedy: first.remedy)
    }
}
