// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// The verified certificate of the other end of a connection.
public struct PeerCertificate: Hashable, Sendable {
    public var identity: Identity
    /// When the certificate was issued, or the moment after the identity's last revocation, if the clock was behind that. A revocation
    /// covers all that were issued before it.
    public var issuedMilliseconds: Int64
    /// When its time begins: before ``issuedMilliseconds``, for clocks that are slow.
    public var beginsMilliseconds: Int64
    public var expiresMilliseconds: Int64
    /// The fingerprint of the authority that issued it.
    public var authority: [UInt8] = []

    /// What a peer is answered whose certificate was revoked.
    package static func revoked(_ identity: Identity) -> EpitopeError {
        guard identity.role == .localCenter else {
            return EpitopeError(
                .revoked, "the certificate of \(identity.role.rawValue) \(identity.name) was revoked",
                remedy: "ask the center's operator for the reason, then enrol again (`epitope enroll`) with a new token")
        }
        return EpitopeError(
            .revoked, "the certificate of site \(identity.name) was revoked",
            remedy:
                "ask the global center's operator for the reason, then link the site again (`epitope local-center link`) with a new token")
    }

    /// - Parameter graceMilliseconds: for how long after its end the certificate still counts.
    /// - Throws: `certificate-expired`, `certificate-not-yet-valid`.
    public func requireInForce(nowMilliseconds: Int64, graceMilliseconds: Int64 = 0) throws(EpitopeError) {
        let name = "the certificate of \(identity.role.rawValue) \(identity.name)"
        guard nowMilliseconds >= beginsMilliseconds else {
            throw EpitopeError(
                .certificateNotYetValid,
                "\(name) begins at \(ChannelClock.text(beginsMilliseconds)), and this center's clock shows \(ChannelClock.text(nowMilliseconds)): the center's clock is behind, or was ahead when the certificate was issued",
                remedy: "check the center's clock; what waits is sent once that time has come")
        }
        guard nowMilliseconds <= expiresMilliseconds + graceMilliseconds else {
            throw EpitopeError(
                .certificateExpired,
                "\(name) ended at \(ChannelClock.text(expiresMilliseconds)), and this center's clock shows \(ChannelClock.text(nowMilliseconds))",
                remedy: "check the center's clock; if it is right, enrol again with a new token")
        }
    }
}
