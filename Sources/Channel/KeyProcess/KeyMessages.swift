// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import SecureChannel

/// What a center sends to its key process: JSON, a message a packet of the socket. Nothing else is understood there.
struct KeyRequest: Codable, Sendable {
    /// `nil`: only whether somebody is there, and whose key it is.
    var order: CertificateOrder?
    /// The text of a manifest to sign, which only a process that an operator's command has started does.
    var manifest: String?
}

/// What the key process answers.
struct KeyAnswer: Codable, Sendable {
    /// SHA-256 of the current authority's certificate, in hexadecimal.
    var authority: String
    /// Those of all authorities whose keys it has; `nil`: of that one alone, and it knows of no other.
    var authorities: [String]?
    /// The certificate that was signed, as PEM.
    var certificate: String?
    /// The signatures of a manifest.
    var signatures: [ManifestSignature]?
    var refusal: Refusal?
    /// When to try again, where it was refused for now.
    var retryAfterSeconds: Int?

    var allAuthorities: [String] { authorities ?? [authority] }

    /// - Throws: the refusal, if it is one.
    func requireGranted() throws(EpitopeError) {
        guard let refusal else { return }
        var error = refusal.error
        error.retryAfterSeconds = retryAfterSeconds
        throw error
    }
}
