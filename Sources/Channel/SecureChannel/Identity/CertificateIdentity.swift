// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import X509

/// How an ``Identity`` is written into a certificate: one URI among the subject's alternative names,
/// `epitope:ROLE:NAME`, and NAME once more as the common name for people. Only the URI counts.
enum CertificateIdentity {
    private static let scheme = "epitope:"

    static func uri(_ identity: Identity) -> String {
        "\(scheme)\(identity.role.rawValue):\(identity.name)"
    }

    /// The identity that a certificate states; `nil` unless there is exactly one URI and it is well formed.
    static func read(from certificate: Certificate) -> Identity? {
        guard let names = try? certificate.extensions.subjectAlternativeNames else { return nil }
        let uris = names.compactMap { name in
            if case .uniformResourceIdentifier(let uri) = name { uri } else { nil }
        }
        return uris.count == 1 ? parse(uris[0]) : nil
    }

    static func parse(_ uri: String) -> Identity? {
        guard uri.hasPrefix(scheme) else { return nil }
        let parts = uri.dropFirst(scheme.count).split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let role = Identity.Role(rawValue: String(parts[0])),
            Identity.isValidName(String(parts[1]))
        else { return nil }
        return Identity(role: role, name: String(parts[1]))
    }
}
