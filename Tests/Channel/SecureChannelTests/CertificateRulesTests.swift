// SPDX-License-Identifier: Apache-2.0

import Crypto
import EpitopeModel
import Foundation
import Testing
import X509

@testable import SecureChannel

struct CertificateRulesTests {
    @Test
    func `A certificate of the authority that breaks the rules is refused`() async throws {
        try await withFolder { folder in
            let authority = try CertificateAuthority.create(in: "\(folder)/a", site: "s", serverNames: ["::1"])
            let host = GeneralName.uniformResourceIdentifier("epitope:host:a")
            let other = GeneralName.uniformResourceIdentifier("epitope:host:b")
            let client = ExtendedKeyUsage.Usage.clientAuth
            let cases: [(names: [GeneralName], usage: ExtendedKeyUsage.Usage, good: Bool)] = [
                ([host], client, true), ([], client, false), ([host, other], client, false),
                ([.dnsName("a")], client, false), ([host], .serverAuth, false),
                ([.uniformResourceIdentifier("epitope:center:a")], client, false),
                ([host], .any, false),
            ]
            for (index, item) in cases.enumerated() {
                let der = try Self.certificate(authority, item.names, item.usage)
                let now = ChannelClock.system()
                if item.good {
                    let peer = try await authority.certificate.verify(certificateDER: der, nowMilliseconds: now)
                    #expect(peer.identity == Identity(role: .host, name: "a"))
                } else {
                    #expect(
                        await code { try await authority.certificate.verify(certificateDER: der, nowMilliseconds: now) }
                            == .certificateMalformed, "case \(index)")
                }
            }
        }
    }

    @Test
    func `Nobody can enrol as a center`() async throws {
        try await withFolder { folder in
            let authority = try CertificateAuthority.create(in: "\(folder)/a", site: "s", serverNames: ["::1"])
            let center = Identity(role: .center, name: "b")
            let request = try KeyWithRequest().requestPEM
            #expect(await code { try authority.issue(to: center, request: request) } == .roleNotAllowed)
            #expect(await code { try await authority.certificate.makeToken(for: center, in: MemoryLedger()) } == .roleNotAllowed)
            let invalid = Identity(role: .host, name: "a b")
            #expect(await code { try await authority.certificate.makeToken(for: invalid, in: MemoryLedger()) } == .nameInvalid)
        }
    }

    private static func certificate(
        _ authority: CertificateAuthority, _ names: [GeneralName], _ usage: ExtendedKeyUsage.Usage
    ) throws -> [UInt8] {
        let now = ChannelClock.system()
        return try PEM.der(
            Certificate(
                version: .v3, serialNumber: .init(bytes: [1]),
                publicKey: Certificate.PrivateKey(P256.Signing.PrivateKey()).publicKey,
                notValidBefore: Date(milliseconds: now), notValidAfter: Date(milliseconds: now + 60_000),
                issuer: authority.certificate.x509.subject, subject: DistinguishedName { CommonName("a") },
                extensions: Certificate.Extensions {
                    Critical(BasicConstraints.notCertificateAuthority)
                    try ExtendedKeyUsage([usage])
                    SubjectAlternativeNames(names)
                },
                issuerPrivateKey: authority.key))
    }
}
