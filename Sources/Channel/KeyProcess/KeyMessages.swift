// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import SecureChannel

/// What a center sends to its key process: JSON, a message a packet of the socket. Nothing else is understood there.
struct KeyRequest: Codable, Sendable {
    /// `nil`: only whether somebody is there, and whose key it is.
    var order: CertificateOrder?
}

/// What the key process answers.
struct KeyAnswer: Codable, Sendable {
    /// SHA-256 of the authority's certificate whose key it is, in hexadecimal.
    var authority: String
    /// The certificate that was signed, as PEM.
    var certificate: String?
    var refusal: Refusal?
    /// When to try again, where it was refused for now.
    var retryAfterSeconds: Int?

    /// - Throws: the refusal, if it is one.
    func requireGranted() throws(EpitopeError) {
        guard let refusal else { return }
        var error = refusal.error
        error.retryAfterSeconds = retryAfterSeconds
        throw error
    }
}
