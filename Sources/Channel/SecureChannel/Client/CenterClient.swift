// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import PacketCoding
public import Signatures
import Synchronization

/// A host's or local center's client of one center: mutual TLS 1.3, with the site's authority as the only trust. Connections
/// stay open, so that a packet needs no new handshake.
///
/// Every method throws an ``EpitopeError``: `center-unreachable`, `center-wrong`, `answer-malformed`, or the center's
/// own refusal with its code (`certificate-expired`, `certificate-not-yet-valid`, `certificate-foreign`, `revoked`, `role-not-allowed`,
/// `identity-mismatch`, `packet-too-large`, ...). End it with ``shutdown()``.
public final class CenterClient: Sendable {
    private struct State {
        var identity: StoredIdentity
        var transport: CenterTransport
        /// The transport of the previous certificate, on which requests that were under way at a renewal end.
        var retired: CenterTransport?
    }

    private let state: Mutex<State>
    private let offers = Mutex(CodeOffers())

    /// - Throws: `key-malformed`, `certificate-malformed`.
    public init(_ identity: StoredIdentity) throws(EpitopeError) {
        let transport = try CenterTransport(identity)
        state = Mutex(State(identity: identity, transport: transport))
    }

    /// The identity that this client authenticates with; a renewal replaces it.
    public var identity: StoredIdentity { state.withLock { $0.identity } }

    /// Sends an extracted packet. When this method returns, the center has stored the packet, and the sender may delete it.
    public func send(_ packet: EncodedPacket) async throws(EpitopeError) -> Receipt {
        let offer = CodeOffer(packet)
        if let offer, let receipt = try await deliver(offer, id: packet.id) { return receipt }
        do {
            let receipt = try await deliver(packet.bytes, to: ChannelPath.packets, id: packet.id)
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
        let _: [String: String] = try await transport.postJSON(ChannelPath.withheld, counts)
    }

    /// Forwards a site's packet and signature to the global center.
    public func forward(_ forward: ForwardedPacket) async throws(EpitopeError) -> Receipt {
        try await deliver(forward.encoded(), to: ChannelPath.forwards, id: forward.id)
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
        let bytes = try await transport.get(
            "\(ChannelPath.updates)?after=\(position.sequence)&mark=\(position.mark)&wait=\(wait)", waitSeconds: wait)
        do {
            return try WireCoding.updates(bytes)
        } catch {
            throw ChannelFailure.malformedAnswer(of: identity.center)
        }
    }

    /// Opens a connection, if none is open, so that the next packet need not wait for it. Throws when the center refuses the
    /// identity.
    public func warmUp() async throws(EpitopeError) {
        _ = try await transport.get(ChannelPath.health, waitSeconds: 0)
    }

    /// Gets a new certificate for a new key, stores both in `directory`, and uses them from then on.
    public func renew(storingIn directory: String) async throws(EpitopeError) {
        let old = identity
        let made = try KeyWithRequest()
        let answer: IssuedCertificate = try await transport.postJSON(
            ChannelPath.renew, RenewalRequest(request: made.requestPEM))
        let new = try StoredIdentity(
            center: old.center, keyPEM: made.keyPEM, certificatePEM: answer.certificate,
            authorityPEM: old.authorityPEM)
        // Stored first: a certificate that a crash loses would have to be got anew.
        try new.save(in: directory)
        try await adopt(new)
    }

    /// Uses another identity from now on, such as one that another process has stored. Requests under way end on the old one.
    ///
    /// - Throws: `key-malformed`, `certificate-malformed`: then the old one stays.
    public func adopt(_ new: StoredIdentity) async throws(EpitopeError) {
        let fresh = try CenterTransport(new)
        let outdated = state.withLock { state in
            defer { state = State(identity: new, transport: fresh, retired: state.transport) }
            return state.retired
        }
        await outdated?.shutdown()
    }

    /// Closes the connections. Requests under way fail with `center-unreachable`.
    public func shutdown() async {
        let (current, retired) = state.withLock { ($0.transport, $0.retired) }
        await current.shutdown()
        await retired?.shutdown()
    }

    /// How long a center holds a long poll open, in seconds: below the idle limits of common middleboxes.
    public static let maxWaitSeconds = 60

    private var transport: CenterTransport { state.withLock { $0.transport } }

    private func deliver(_ bytes: [UInt8], to path: String, id: String) async throws(EpitopeError) -> Receipt {
        let answer = try await transport.postProtobuf(path, bytes)
        // A receipt for another message does not count.
        guard let receipt = try? Receipt(encoded: answer), receipt.id == id else {
            throw ChannelFailure.malformedAnswer(of: identity.center)
        }
        return receipt
    }
}
