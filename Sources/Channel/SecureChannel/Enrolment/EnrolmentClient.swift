// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// Enrols this machine at a center.
public enum EnrolmentClient {
    /// Enrols: makes a private key, checks that the center has the authority that the token pins, redeems the token, and
    /// stores the identity in `directory`.
    ///
    /// - Parameters:
    ///   - role: what this machine enrols as. A token for another role is not used up.
    ///   - centers: the site's; the first that answers is enrolled at.
    ///   - scope: the kind of center that is meant. One of another kind does not use the token up.
    ///   - relay: by which the centers are reached, now and from then on.
    ///   - name: the name that this machine is to have, where the token leaves that to it.
    /// - Throws: `token-malformed`, `token-unknown`, `token-revoked`, `token-used`, `token-expired`, `token-of-another-role`,
    ///   `token-of-another-name`, `token-of-another-network`, `name-invalid`, `name-taken`, `center-of-another-kind`, `not-served-here`, `authority-mismatch`, `center-unreachable`, `center-wrong`,
    ///   `state-unwritable`. After an error nothing is stored.
    public static func enroll(
        as role: Identity.Role = .host, at centers: CenterList, scope: CenterScope = .local, token: String,
        relay: RelayAddress? = nil, name: String? = nil, storingIn directory: String
    ) async throws(EpitopeError) -> StoredIdentity {
        let token = try EnrolmentToken(token)
        // A folder that can't be written is found before the token is redeemed.
        try PrivateFiles.makeDirectory(directory)
        let (authority, center) = try await authority(of: centers, by: relay, fingerprint: token.authorityFingerprint)
        let made = try KeyWithRequest()
        let transport = try CenterTransport(center: center, authorityPEM: authority, credentials: nil, relay: relay)
        let answer: IssuedCertificate
        do {
            answer = try await transport.postJSON(
                ChannelPath.enroll,
                EnrolmentRequest(token: token.description, request: made.requestPEM, center: scope, role: role, name: name))
        } catch {
            await transport.shutdown()
            throw error
        }
        await transport.shutdown()
        // The authority is the pinned one, whatever the answer contains.
        let identity = try StoredIdentity(
            centers: centers, keyPEM: made.keyPEM, certificatePEM: answer.certificate, authorityPEM: authority, relay: relay)
        try identity.save(in: directory)
        return identity
    }

    /// The authority, and the first center that answers and shows it.
    private static func authority(
        of centers: CenterList, by relay: RelayAddress?, fingerprint: [UInt8]
    ) async throws(EpitopeError) -> (String, CenterAddress) {
        var failure: EpitopeError?
        for center in centers.addresses {
            do throws(EpitopeError) {
                return (try await PresentedChain.authority(of: center, by: relay, fingerprint: fingerprint), center)
            } catch {
                // Somebody in a center's place is said, and not passed over.
                guard error.code == .centerUnreachable else { throw error }
                failure = failure ?? error
            }
        }
        throw failure ?? EpitopeError(.addressMalformed, "no center is named", remedy: "give the center's address")
    }
}
