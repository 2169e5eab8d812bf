// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// The verified certificate of the other end of a connection.
public struct PeerCertificate: Hashable, Sendable {
    public var identity: Identity
    /// When the certificate was issued. A revocation covers certificates issued before it.
    public var issuedMilliseconds: Int64
    /// When its time begins: before ``issuedMilliseconds``, for clocks that are slow.
    public var beginsMilliseconds: Int64
    public var expiresMilliseconds: Int64

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
