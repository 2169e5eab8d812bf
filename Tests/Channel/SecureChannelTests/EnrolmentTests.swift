// SPDX-License-Identifier: Apache-2.0

import CenterServer
import CenterServer
import Crypto
import EpitopeModel
import Foundation
import SwiftASN1
import Synchronization
import TestSupport
import Testing
import X509

@testable import SecureChannel

struct EnrolmentTests {
    @Test
    func `Enrolment gives a host the identity of its token, in a private file, with which it can send packets`() async throws {
        try await TestCenter.run { center in
            let directory = "\(center.directory)/host"
            let identity = try await EnrolmentClient.enroll(
                at: CenterList(center.address), token: try await center.token(), storingIn: directory)
            #expect(identity.subject == Identity(role: .host, name: "host-1"))
            #expect(identity.authorityPEM == center.authority.certificatePEM)
            #expect(try mode(of: directory) == 0o700)
            #expect(try mode(of: "\(directory)/identity.json") == 0o600)
            let loaded = try StoredIdentity.load(from: directory)
            #expect(loaded.keyPEM == identity.keyPEM && loaded.center == center.address)
            let receipt = try await center.client(loaded) { try await $0.send(Samples.packet()) }
            #expect(receipt.id == Samples.packet().id)
        }
    }

    @Test
    func `A token can be used once`() async throws {
        try await TestCenter.run { center in
            let token = try await center.token()
            let directory = center.directory
            _ = try await EnrolmentClient.enroll(at: CenterList(center.address), token: token, storingIn: "\(directory)/a")
            #expect(
                await code {
                    try await EnrolmentClient.enroll(at: CenterList(center.address), token: token, storingIn: "\(directory)/b")
                } == .tokenUsed)
            #expect(!FileManager.default.fileExists(atPath: "\(directory)/b/identity.json"))
        }
    }

    @Test
    func `Of those who use one token at once, one gets a certificate`() async throws {
        try await TestCenter.run { center in
            let (token, request) = (try await center.token(), try KeyWithRequest().requestPEM)
            let answers = try await center.transport(credentials: nil) { transport in
                await withTaskGroup(of: EpitopeError.Code?.self) { group in
                    for _ in 0..<8 {
                        group.addTask {
                            do throws(EpitopeError) {
                                let _: IssuedCertificate = try await transport.postJSON(
                                    ChannelPath.enroll, EnrolmentRequest(token: token, request: request))
                                return nil
                            } catch { return error.code }
                        }
                    }
                    return await group.reduce(into: [EpitopeError.Code?]()) { $0.append($1) }
                }
            }
            #expect(answers.count { $0 == nil } == 1)
            #expect(answers.count { $0 == .tokenUsed } == 7)
        }
    }

    @Test
    func `A token stays good where the authority's key is away`() async throws {
        let issuer = AbsentIssuer()
        try await TestCenter.run(issuer: issuer) { center in
            let token = try await center.token()
            func enroll() async -> EpitopeError.Code? {
                do throws(EpitopeError) {
                    _ = try await EnrolmentClient.enroll(
                        at: CenterList(center.address), token: token, storingIn: "\(center.directory)/host")
                    return nil
                } catch { return error.code }
            }
            #expect(await enroll() == .internalFailure)
            issuer.standIn.withLock { $0 = center.authority }
            #expect(await enroll() == nil)
            #expect(await enroll() == .tokenUsed)
        }
    }

    @Test
    func `A token that has expired, is unknown or is garbled is refused`() async throws {
        try await TestCenter.run { center in
            let expired = try await center.token(lifetimeMilliseconds: -1)
            let unknown = EnrolmentToken(authorityFingerprint: center.authority.fingerprint).description
            let garbled = String(try await center.token().dropLast())
            let cases: [(String, EpitopeError.Code)] = [
                (expired, .tokenExpired), (unknown, .tokenUnknown), (garbled, .tokenMalformed),
            ]
            for (token, expected) in cases {
                #expect(
                    await code {
                        try await EnrolmentClient.enroll(
                            at: CenterList(center.address), token: token, storingIn: "\(center.directory)/host")
                    } == expected)
            }
        }
    }

    @Test
    func `Enrolment does not send its token to a center with another authority`() async throws {
        try await TestCenter.run { center in
            try await TestCenter.run { impostor in
                let token = try await center.token()
                #expect(
                    await code {
                        try await EnrolmentClient.enroll(
                            at: CenterList(impostor.address), token: token, storingIn: "\(center.directory)/host")
                    } == .authorityMismatch)
                // The token is still good where it belongs.
                _ = try await EnrolmentClient.enroll(
                    at: CenterList(center.address), token: token, storingIn: "\(center.directory)/host")
            }
        }
    }

    @Test
    func `Enrolment refuses a center that has the right authority but another name`() async throws {
        try await TestCenter.run(names: ["other.example"]) { center in
            let token = try await center.token()
            #expect(
                await code {
                    try await EnrolmentClient.enroll(
                        at: CenterList(center.address), token: token, storingIn: "\(center.directory)/host")
                } == .centerWrong)
        }
    }

    @Test
    func `Enrolment compares the address as it was given, and not what a name leads to`() async throws {
        try await TestCenter.run { center in
            let token = try await center.token()
            let named = try CenterAddress(host: "localhost", port: center.address.port)
            let error = await #expect(throws: EpitopeError.self) {
                try await EnrolmentClient.enroll(at: CenterList(named), token: token, storingIn: "\(center.directory)/host")
            }
            #expect(error?.code == .centerWrong)
            #expect(error?.message.contains("is for 127.0.0.1, center.example, and not for localhost") == true, "\(error as Any)")
            #expect(!FileManager.default.fileExists(atPath: "\(center.directory)/host/identity.json"))
            _ = try await EnrolmentClient.enroll(at: CenterList(center.address), token: token, storingIn: "\(center.directory)/host")
        }
        try await TestCenter.run(names: ["LocalHost"]) { center in
            let named = try CenterAddress(host: "localhost", port: center.address.port)
            _ = try await EnrolmentClient.enroll(
                at: CenterList(named), token: try await center.token(), storingIn: "\(center.directory)/host")
        }
    }

    @Test(arguments: [
        ("center.example", "center.example", true), ("Center.Example.", "center.example", true), ("center.example", "10.0.0.1", false),
        ("center.example", "other.example", false), ("10.0.0.1", "10.0.0.1", true), ("10.0.0.1", "10.0.0.2", false),
        ("2001:db8::1", "2001:db8:0:0::1", true), ("10.0.0.1", "center.example", false),
    ])
    func `A center's address is compared with the names of a certificate`(host: String, name: String, isNamed: Bool) throws {
        #expect(try CenterAddress(host: host, port: 7443).isNamed(name) == isNamed)
    }

    @Test
    func `Enrolment reports a center that does not answer`() async throws {
        let (address, token) = try await TestCenter.run { center in (center.address, try await center.token()) }
        try await withFolder { folder in
            #expect(
                await code {
                    try await EnrolmentClient.enroll(at: CenterList(address), token: token, storingIn: "\(folder)/host")
                } == .centerUnreachable)
        }
    }

    @Test
    func `A malformed request does not use up its token, and the name in a request is ignored`() async throws {
        try await TestCenter.run { center in
            let token = try await center.token()
            let key = Certificate.PrivateKey(P256.Signing.PrivateKey())
            let request = try CertificateSigningRequest(
                version: .v1, subject: DistinguishedName { CommonName("somebody-else") }, privateKey: key,
                attributes: .init(), signatureAlgorithm: .ecdsaWithSHA256
            ).serializeAsPEM().pemString
            let answer = try await center.transport(credentials: nil) { transport in
                #expect(
                    await code {
                        try await transport.postJSON(
                            ChannelPath.enroll, EnrolmentRequest(token: token, request: "?")) as IssuedCertificate
                    } == .requestMalformed)
                return try await transport.postJSON(
                    ChannelPath.enroll, EnrolmentRequest(token: token, request: request)) as IssuedCertificate
            }
            let certificate = try PEM.certificate(answer.certificate, from: "answer")
            #expect(CertificateIdentity.read(from: certificate) == Identity(role: .host, name: "host-1"))
            #expect("\(certificate.subject)" == "CN=host-1")
        }
    }

    @Test(arguments: CenterScope.allCases)
    func `Enrolment at a center of another kind does not use up its token`(_ scope: CenterScope) async throws {
        try await TestCenter.run(scope: scope) { center in
            let token = try await center.token()
            func enroll(_ meant: CenterScope) async throws -> StoredIdentity {
                try await EnrolmentClient.enroll(
                    at: CenterList(center.address), scope: meant, token: token, storingIn: "\(center.directory)/\(meant)")
            }
            let other: CenterScope = scope == .local ? .global : .local
            let error = await #expect(throws: EpitopeError.self) { try await enroll(other) }
            #expect(error?.code == .centerOfAnotherKind)
            #expect(error?.message == "this is a \(scope), and not a \(other); the token was not used up")
            #expect(error?.remedy.contains("--global") == true)
            #expect(!FileManager.default.fileExists(atPath: "\(center.directory)/\(other)/identity.json"))
            #expect(try await enroll(scope).subject.name == "host-1")
        }
    }

    @Test
    func `A token for another role is not used up, nor is one at a center that has nothing for the role`() async throws {
        try await TestCenter.run(scope: .global, accepts: [.forwards, .publishing, .subscriptions]) { center in
            func enroll(as role: Identity.Role, _ token: String) async throws -> StoredIdentity {
                try await EnrolmentClient.enroll(
                    as: role, at: CenterList(center.address), scope: .global, token: token, storingIn: "\(center.directory)/peer")
            }
            let (host, site) = (try await center.token(), try await center.token(.localCenter, "site-2"))
            #expect(await code { try await enroll(as: .localCenter, host) } == .tokenOfAnotherRole)
            #expect(await code { try await enroll(as: .host, host) } == .notServedHere)
            #expect(try await enroll(as: .localCenter, site).subject == Identity(role: .localCenter, name: "site-2"))
        }
        try await TestCenter.run(scope: .global) { center in
            let site = try await center.token(.localCenter, "site-2")
            #expect(
                await code {
                    try await EnrolmentClient.enroll(
                        at: CenterList(center.address), scope: .global, token: site, storingIn: "\(center.directory)/peer")
                } == .tokenOfAnotherRole)
        }
    }

    @Test
    func `A sender that does not say what it means to be is enrolled by its token alone, as before`() async throws {
        try await TestCenter.run(scope: .global) { center in
            let (token, made) = (try await center.token(), try KeyWithRequest())
            let answer = try await center.transport(credentials: nil) { transport in
                try await transport.postJSON(
                    ChannelPath.enroll, ["token": token, "request": made.requestPEM]) as IssuedCertificate
            }
            let certificate = try PEM.certificate(answer.certificate, from: "answer")
            #expect(CertificateIdentity.read(from: certificate) == Identity(role: .host, name: "host-1"))
        }
    }

    @Test
    func `A missing and a damaged identity file are reported as such`() async throws {
        try await withFolder { folder in
            #expect(await code { try StoredIdentity.load(from: folder) } == .identityMissing)
            try PrivateFiles.save("{", to: "\(folder)/identity.json")
            #expect(await code { try StoredIdentity.load(from: folder) } == .identityMalformed)
        }
    }

    @Test
    func `A folder that cannot be written is reported before the token is used up`() async throws {
        try await TestCenter.run { center in
            let token = try await center.token()
            #expect(
                await code {
                    try await EnrolmentClient.enroll(
                        at: CenterList(center.address), token: token, storingIn: "/dev/null/such")
                } == .stateUnwritable)
            _ = try await EnrolmentClient.enroll(at: CenterList(center.address), token: token, storingIn: "\(center.directory)/host")
        }
    }
}

/// Who can't reach the authority's key, until somebody stands in.
final class AbsentIssuer: CertificateIssuing {
    let standIn = Mutex<CertificateAuthority?>(nil)

    func issue(_ order: CertificateOrder) throws(EpitopeError) -> String {
        guard let authority = standIn.withLock({ $0 }) else {
            throw EpitopeError(.internalFailure, "the key is away", remedy: "wait")
        }
        return try authority.issue(order)
    }
}
