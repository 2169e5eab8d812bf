// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import Testing

@testable import SecureChannel

struct AuthorityTests {
    private static let day: Int64 = Duration.days(1).inMilliseconds

    private func made<Value: Sendable>(_ body: @Sendable (String, CertificateAuthority) async throws -> Value) async throws -> Value {
        try await withFolder { folder in
            let directory = "\(folder)/authority"
            return try await body(
                directory, try CertificateAuthority.create(in: directory, site: "site-1", serverNames: ["127.0.0.1"]))
        }
    }

    @Test
    func `An authority's files are private, and it loads as it was created`() async throws {
        try await made { directory, authority in
            #expect(try mode(of: directory) == 0o700)
            for file in ["authority.pem", "authority-key.pem", "server.pem"] {
                #expect(try mode(of: "\(directory)/\(file)") == 0o600)
            }
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory).count == 3)
            let loaded = try CertificateAuthority.load(from: directory)
            #expect(loaded.fingerprint == authority.fingerprint)
            #expect(loaded.certificatePEM == authority.certificatePEM)
        }
    }

    @Test
    func `An existing authority is never overwritten`() async throws {
        try await made { directory, authority in
            let error = #expect(throws: EpitopeError.self) {
                try CertificateAuthority.create(in: directory, site: "site-2", serverNames: ["127.0.0.1"])
            }
            #expect(error?.code == .authorityExists)
            let loaded = try CertificateAuthority.load(from: directory)
            #expect(loaded.fingerprint == authority.fingerprint)
        }
    }

    @Test
    func `An authority that is missing, damaged, mixed up or out of date does not load, each with its code`() async throws {
        @Sendable func code(_ directory: String, now: Int64 = ChannelClock.system()) -> EpitopeError.Code? {
            #expect(throws: EpitopeError.self) {
                try CertificateAuthority.load(from: directory, nowMilliseconds: now)
            }?.code
        }
        try await made { directory, _ in
            #expect(code("\(directory)/nothing") == .authorityMissing)
            #expect(code(directory, now: ChannelClock.system() + 3651 * Self.day) == .certificateExpired)
            let key = try String(contentsOfFile: "\(directory)/authority-key.pem", encoding: .utf8)
            let other = "\(directory)-2"
            _ = try CertificateAuthority.create(in: other, site: "site-2", serverNames: ["::1"])
            try PrivateFiles.save(key, to: "\(other)/authority-key.pem")
            #expect(code(other) == .keyMalformed)
            try PrivateFiles.save("no key", to: "\(directory)/authority-key.pem")
            #expect(code(directory) == .keyMalformed)
            try PrivateFiles.save("no certificate", to: "\(directory)/authority.pem")
            #expect(code(directory) == .certificateMalformed)
        }
    }

    @Test(arguments: [[], [""], ["-a"], ["a b"], ["a..b"], ["h:1"]])
    func `An authority refuses server names that no host could reach`(names: [String]) async throws {
        try await withFolder { folder in
            let error = #expect(throws: EpitopeError.self) {
                try CertificateAuthority.create(in: "\(folder)/a", site: "site-1", serverNames: names)
            }
            #expect(error?.code == .nameInvalid)
            let left = try FileManager.default.contentsOfDirectory(atPath: folder)
            #expect(left.isEmpty)
        }
    }

    @Test
    func `An authority confirms the identities that it issued certificates to, while those are valid`() async throws {
        try await withFolder { folder in
            let now = ChannelClock.system()
            let authority = try CertificateAuthority.create(in: "\(folder)/a", site: "s", serverNames: ["::1"])
            let identity = Identity(role: .host, name: "web-1.example_x")
            let pem = try authority.issue(
                to: identity, request: try KeyWithRequest().requestPEM, validityDays: 2, nowMilliseconds: now)
            let der = try PEM.der(try PEM.certificate(pem, from: "test"))
            let peer = try await authority.certificate.verify(certificateDER: der, nowMilliseconds: now)
            #expect(peer.identity == identity)
            #expect(peer.expiresMilliseconds / 1000 == (now + 2 * Self.day) / 1000)
            #expect(
                await code { try await authority.certificate.verify(certificateDER: der, nowMilliseconds: now + 3 * Self.day) }
                    == .certificateExpired)
            #expect(
                await code { try await authority.certificate.verify(certificateDER: der, nowMilliseconds: now - Self.day) }
                    == .certificateNotYetValid)
            let other = try CertificateAuthority.create(in: "\(folder)/b", site: "s", serverNames: ["::1"])
            #expect(
                await code { try await other.certificate.verify(certificateDER: der, nowMilliseconds: now) } == .certificateForeign)
            #expect(
                await code { try await authority.certificate.verify(certificateDER: Array(der.dropLast()), nowMilliseconds: now) }
                    == .certificateMalformed)
            let own = try PEM.der(authority.certificate.x509)
            #expect(
                await code { try await authority.certificate.verify(certificateDER: own, nowMilliseconds: now) }
                    == .certificateForeign)
        }
    }

    @Test(arguments: ["", "-----BEGIN CERTIFICATE REQUEST-----"])
    func `An authority refuses a request that is not signed by its own P-256 key`(request: String) async throws {
        try await made { _, authority in
            let error = #expect(throws: EpitopeError.self) {
                try authority.issue(to: Identity(role: .host, name: "a"), request: request)
            }
            #expect(error?.code == .requestMalformed)
        }
    }

    @Test
    func `An authority renews the server's certificate for the same names`() async throws {
        try await made { directory, authority in
            let now = ChannelClock.system()
            let first = try ServerCertificate.load(from: directory, authorities: CenterAuthorities(authority.certificate))
            #expect(first.names == ["127.0.0.1"])
            #expect(first.identity == Identity(role: .center, name: "site-1"))
            #expect(!first.isDueForRenewal(nowMilliseconds: now + 50 * Self.day))
            #expect(first.isDueForRenewal(nowMilliseconds: now + 61 * Self.day))
            let second = try await first.renewed(by: authority, of: CenterAuthorities(authority.certificate), in: directory)
            let loaded = try ServerCertificate.load(from: directory, authorities: CenterAuthorities(authority.certificate))
            #expect(loaded.chainPEM == second.chainPEM && loaded.chainPEM != first.chainPEM)
            #expect(loaded.names == first.names)
        }
    }

    @Test
    func `A center that was off beyond its certificate's end, or in another time, issues itself a new one when it starts`() async throws {
        try await made { directory, authority in
            let now = ChannelClock.system()
            let first = try ServerCertificate.load(from: directory, authorities: CenterAuthorities(authority.certificate))
            let same = try await ServerCertificate.loadOrRenew(
                from: directory, authorities: CenterAuthorities(authority.certificate), issuer: authority)
            #expect(same.chainPEM == first.chainPEM)
            // Off for a hundred days; then two thirds over; then set back by a year.
            for later in [100 * Self.day, 170 * Self.day, -365 * Self.day + 170 * Self.day] {
                let before = try await ServerCertificate.loadOrRenew(
                    from: directory, authorities: CenterAuthorities(authority.certificate), issuer: authority, nowMilliseconds: now + 1)
                let next = try? await ServerCertificate.loadOrRenew(
                    from: directory, authorities: CenterAuthorities(authority.certificate), issuer: authority, nowMilliseconds: now + later)
                guard later > 0 else {
                    #expect(next == nil, "the authority's own time has not come")
                    continue
                }
                #expect(next?.chainPEM != before.chainPEM)
                #expect(next?.names == first.names)
                let loaded = try ServerCertificate.load(
                    from: directory, authorities: CenterAuthorities(authority.certificate), nowMilliseconds: now + later)
                #expect(loaded.chainPEM == next?.chainPEM)
            }
        }
    }

    @Test
    func `A center gets a certificate for other addresses, by the same authority`() async throws {
        try await made { directory, authority in
            let names = ["10.0.0.7", "center.example"]
            _ = try ServerCertificate.reissue(in: directory, by: AuthorityKeys(authority), names: names)
            let others = try ServerCertificate.load(from: directory, authorities: CenterAuthorities(authority.certificate))
            #expect(others.names.sorted() == names)
            _ = try ServerCertificate.reissue(in: directory, by: AuthorityKeys(authority), names: nil)
            let again = try ServerCertificate.load(from: directory, authorities: CenterAuthorities(authority.certificate))
            #expect(again.names.sorted() == names && again.chainPEM != others.chainPEM)
            let error = #expect(throws: EpitopeError.self) {
                try ServerCertificate.reissue(in: directory, by: AuthorityKeys(authority), names: ["no such name"])
            }
            #expect(error?.code == .nameInvalid)
        }
    }

    @Test(arguments: [nil, "garbled"])
    func `A center whose own certificate is lost or damaged gets a new one for the addresses that are given`(_ found: String?) async throws
    {
        try await made { directory, authority in
            let first = try ServerCertificate.load(from: directory, authorities: CenterAuthorities(authority.certificate))
            let file = "\(directory)/\(ServerCertificate.file)"
            try FileManager.default.removeItem(atPath: file)
            if let found { try Data(found.utf8).write(to: URL(filePath: file)) }
            let error = #expect(throws: EpitopeError.self) {
                try ServerCertificate.reissue(in: directory, by: AuthorityKeys(authority), names: nil)
            }
            #expect(error?.code == (found == nil ? .authorityMissing : .certificateMalformed))
            #expect(error?.remedy.contains("renew --address") == true)
            _ = try ServerCertificate.reissue(in: directory, by: AuthorityKeys(authority), names: ["center.example"])
            let next = try ServerCertificate.load(from: directory, authorities: CenterAuthorities(authority.certificate))
            #expect(next.names == ["center.example"] && next.identity == first.identity)
        }
    }
}

struct CertificateIdentityTests {
    @Test
    func `An identity reads back from its URI`() {
        for role in Identity.Role.allCases {
            let identity = Identity(role: role, name: "Web-1.a_b")
            #expect(CertificateIdentity.parse(CertificateIdentity.uri(identity)) == identity)
        }
    }

    @Test(arguments: [
        "", "epitope:", "epitope:host", "epitope:host:", "epitope:root:a", "epitope:host:a:b", "epitope:host:a b",
        "EPITOPE:host:a", "epitope:host:\u{e9}", "http://host/a", "epitope:host:" + String(repeating: "a", count: 65),
    ])
    func `A URI of any other form is no identity`(uri: String) {
        #expect(CertificateIdentity.parse(uri) == nil)
    }
}
