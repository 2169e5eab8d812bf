// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// Enrols this machine at a center.
public enum EnrolmentClient {
    /// Enrols: makes a private key, checks that the center has the authority that the token pins, redeems the token, and
    /// stores the identity in `directory`.
    ///
    /// - Parameters:
    ///   - role: what this machine enrols as. A token for another role is not used up.
    ///   - scope: the kind of center that is meant. One of another kind does not use the token up.
    /// - Throws: `token-malformed`, `token-unknown`, `token-used`, `token-expired`, `token-of-another-role`,
    ///   `center-of-another-kind`, `not-served-here`, `authority-mismatch`, `center-unreachable`, `center-wrong`,
    ///   `state-unwritable`. After an error nothing is stored.
    public static func enroll(
        as role: Identity.Role = .host, at center: CenterAddress, scope: CenterScope = .local, token: String,
        storingIn directory: String
    ) async throws(EpitopeError) -> StoredIdentity {
        let token = try EnrolmentToken(token)
        // A folder that can't be written is found before the token is redeemed.
        try PrivateFiles.makeDirectory(directory)
        let authority = try await PresentedChain.authority(of: center, fingerprint: token.authorityFingerprint)
        let made = try KeyWithRequest()
        let transport = try CenterTransport(center: center, authorityPEM: authority, credentials: nil)
        let answer: IssuedCertificate
        do {
            answer = try await transport.postJSON(
                ChannelPath.enroll, EnrolmentRequest(token: token.description, request: made.requestPEM, center: scope, role: role))
        } catch {
            await transport.shutdown()
            throw error
        }
        await transport.shutdown()
        // The authority is the pinned one, whatever the answer contains.
        let identity = try StoredIdentity(
            center: center, keyPEM: made.keyPEM, certificatePEM: answer.certificate, authorityPEM: authority)
        try identity.save(in: directory)
        return identity
    }
}
