// SPDX-License-Identifier: Apache-2.0

import Crypto
import EpitopeModel
import NIOSSL
import SecureChannel
import SwiftASN1
import X509

/// Hosts by the thousand: each has a certificate of its own, issued by the center's own authority, and all have one key, since
/// a center judges a host by its certificate. Making 50,000 keys would only cost the benchmark time.
struct HostIdentities: Sendable {
    private let certificates: [String]
    private let key: NIOSSLPrivateKey

    var count: Int { certificates.count }

    /// - Parameter prefix: of the hosts' names; the number follows.
    init(count: Int, prefix: String, authorityIn state: String) async throws {
        let authority = try CertificateAuthority.load(from: CertificateAuthority.findKeyDirectory(ofState: state))
        let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
        let request = try Self.request(for: key)
        let share = 512
        certificates = try await withThrowingTaskGroup(of: (Int, [String]).self) { group in
            for first in stride(from: 0, to: count, by: share) {
                group.addTask {
                    (
                        first,
                        try (first..<min(first + share, count)).map { number in
                            try authority.issue(to: Identity(role: .host, name: "\(prefix)-\(number)"), request: request)
                        }
                    )
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }.flatMap(\.1)
        }
        self.key = try NIOSSLPrivateKey(bytes: Array(key.serializeAsPEM().pemString.utf8), format: .pem)
    }

    /// A request to certify a key.
    static func request(for key: Certificate.PrivateKey) throws -> String {
        try CertificateSigningRequest(
            version: .v1, subject: DistinguishedName(), privateKey: key, attributes: .init(), signatureAlgorithm: .ecdsaWithSHA256
        ).serializeAsPEM().pemString
    }

    /// The TLS of one host. The center's certificate is not checked: only the center is measured, and it is on loopback.
    func tls(of host: Int) throws -> NIOSSLContext {
        var tls = Self.anonymousConfiguration
        tls.certificateChain = [.certificate(try NIOSSLCertificate(bytes: Array(certificates[host].utf8), format: .pem))]
        tls.privateKey = .privateKey(key)
        return try NIOSSLContext(configuration: tls)
    }

    /// The TLS of a peer without a certificate.
    static var anonymousConfiguration: TLSConfiguration {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv13
        tls.certificateVerification = .none
        return tls
    }
}
