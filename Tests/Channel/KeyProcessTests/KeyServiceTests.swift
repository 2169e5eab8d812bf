// SPDX-License-Identifier: Apache-2.0

import Crypto
import EpitopeModel
import Foundation
import Synchronization
import TestSupport
import Testing
import X509

@testable import KeyProcess
@testable import SecureChannel

/// What a key process answers to what a center may send.
@Suite final class KeyServiceTests {
    private let folder: TemporaryFolder
    private let authority: CertificateAuthority
    private let lines = Mutex<[String]>([])

    init() throws {
        folder = try TemporaryFolder()
        authority = try CertificateAuthority.create(
            in: folder.path + "/authority", keyIn: folder.path + "/key", site: "site-1", serverNames: ["127.0.0.1"])
    }

    private func answer(_ order: CertificateOrder?) throws -> KeyAnswer {
        var service = KeyService(AuthorityKeys(authority), SigningBounds()) { [self] line in lines.withLock { $0.append(line) } }
        let answer = service.answer(
            try ChannelJSON.encode(KeyRequest(order: order)), nowMilliseconds: ChannelClock.system(), time: .seconds(1))
        return try ChannelJSON.decode(KeyAnswer.self, from: try #require(answer))
    }

    private func order(
        _ purpose: CertificateOrder.Purpose, _ identity: Identity, key: Data? = nil, names: [String] = []
    ) -> CertificateOrder {
        CertificateOrder(
            purpose, for: identity, publicKey: key ?? P256.Signing.PrivateKey().publicKey.x963Representation, names: names,
            issuedMilliseconds: ChannelClock.system())
    }

    /// What a key process of a purpose answers to an order of a version.
    private func answer(toManifest text: String, for purpose: SigningPurpose) throws -> KeyAnswer {
        var service = KeyService(AuthorityKeys(authority), SigningBounds(), for: purpose) { [self] line in
            lines.withLock { $0.append(line) }
        }
        let answer = service.answer(
            try ChannelJSON.encode(KeyRequest(manifest: text)), nowMilliseconds: ChannelClock.system(), time: .seconds(1))
        return try ChannelJSON.decode(KeyAnswer.self, from: try #require(answer))
    }

    @Test func `what hosts run is signed for an operator's command, and never for the center`() throws {
        let manifest = AgentManifest(
            number: 1, kind: .update, version: try #require(AgentVersion("1.0.0")), architecture: .x86_64,
            files: AgentManifest.fileNames.map { AgentManifest.File(name: $0, size: 1, sha256: String(repeating: "a", count: 64)) })
        let ofCenter = try answer(toManifest: manifest.text, for: .certificates)
        #expect(ofCenter.refusal?.code == .signingRefused)
        #expect(ofCenter.signatures == nil)
        let ofOperator = try answer(toManifest: manifest.text, for: .agents)
        let signed = SignedManifest(manifest, signatures: try #require(ofOperator.signatures))
        #expect(try signed.verify(by: [authority.certificate]) == authority.certificate)
        #expect(lines.withLock { $0.last }?.contains("signed: version 1.0.0") == true)
    }

    @Test(arguments: ["", "0\u{3}", "epitope-agent-manifest 1\n", "anything"])
    func `an operator's command has nothing signed but orders of versions`(text: String) throws {
        #expect(try answer(toManifest: text, for: .agents).refusal?.code == .agentManifestMalformed)
        var service = KeyService(AuthorityKeys(authority), SigningBounds(), for: .agents) { _ in }
        let order = order(.enrolment, Identity(role: .host, name: "web-1"))
        let answer = service.answer(
            try ChannelJSON.encode(KeyRequest(order: order)), nowMilliseconds: ChannelClock.system(), time: .seconds(1))
        let decoded = try ChannelJSON.decode(KeyAnswer.self, from: try #require(answer))
        #expect(decoded.certificate == nil)
        #expect(decoded.refusal?.code == .signingRefused)
    }

    @Test(arguments: [CertificateOrder.Purpose.enrolment, .renewal])
    func `a host's certificate is for the host and the key that were named, and for no authority`(
        purpose: CertificateOrder.Purpose
    ) async throws {
        let key = P256.Signing.PrivateKey()
        let host = Identity(role: .host, name: "web-1")
        let answer = try answer(order(purpose, host, key: key.publicKey.x963Representation))
        let certificate = try PEM.certificate(try #require(answer.certificate), from: "the answer")
        let peer = try await authority.certificate.verify(
            certificateDER: try PEM.der(certificate), nowMilliseconds: ChannelClock.system())
        #expect(peer.identity == host)
        #expect(certificate.publicKey == Certificate.PublicKey(key.publicKey))
        #expect(try certificate.extensions.basicConstraints == .notCertificateAuthority)
        #expect(try certificate.extensions.keyUsage == KeyUsage(digitalSignature: true))
        #expect(try certificate.extensions.extendedKeyUsage.map { Array($0) } == [.clientAuth])
        #expect(certificate.notValidAfter.milliseconds - ChannelClock.system() <= Duration.days(90).inMilliseconds)
        #expect(lines.withLock { $0 } == ["signed: \(purpose.rawValue) of host web-1, for 90 days"])
    }

    @Test func `what is no host's, no site's and not this center's is refused, each with its code, and told`() throws {
        let good = P256.Signing.PrivateKey().publicKey.x963Representation
        let host = Identity(role: .host, name: "web-1")
        let cases: [(CertificateOrder, EpitopeError.Code)] = [
            (order(.enrolment, Identity(role: .center, name: "site-1")), .roleNotAllowed),
            (order(.renewal, Identity(role: .center, name: "site-1")), .roleNotAllowed),
            (order(.enrolment, Identity(role: .host, name: "a\nsigned: b")), .nameInvalid),
            (order(.enrolment, Identity(role: .host, name: "")), .nameInvalid),
            (order(.enrolment, host, names: ["center.example"]), .requestMalformed),
            (order(.server, host, names: ["center.example"]), .requestMalformed),
            (order(.server, Identity(role: .center, name: "site-1")), .nameInvalid),
            (order(.server, Identity(role: .center, name: "site-1"), names: ["a b"]), .nameInvalid),
            (order(.server, Identity(role: .center, name: "site-2"), names: ["a"]), .signingRefused),
            (order(.enrolment, host, key: good.dropLast()), .requestMalformed),
            (order(.enrolment, host, key: P384.Signing.PrivateKey().publicKey.x963Representation), .requestMalformed),
        ]
        for (order, expected) in cases {
            let answer = try answer(order)
            #expect(answer.certificate == nil)
            #expect(answer.refusal?.code == expected, "\(order)")
        }
        let told = lines.withLock { $0 }
        #expect(told.count == cases.count)
        #expect(told.allSatisfy { $0.hasPrefix("refused: ") && !$0.contains("\n") })
    }

    @Test(arguments: ["", "{", "null", "[]", #"{"order":{}}"#, #"{"order":{"purpose":"authority"}}"#])
    func `what is no request has no answer`(text: String) {
        var service = KeyService(AuthorityKeys(authority), SigningBounds()) { _ in }
        #expect(service.answer(Array(text.utf8), nowMilliseconds: ChannelClock.system(), time: .zero) == nil)
    }

    @Test func `who only asks learns whose key it is`() throws {
        let answer = try answer(nil)
        #expect(answer.authority == Hex.encode(authority.fingerprint) && answer.certificate == nil && answer.refusal == nil)
        #expect(lines.withLock { $0 }.isEmpty)
    }

    @Test func `while an authority is replaced each order gets a certificate of the one that it names`() throws {
        let rotation = AuthorityRotation(in: folder.path + "/authority", keyIn: folder.path + "/key")
        let next = try #require(try rotation.begin().0.next).certificate
        let keys = try AuthorityKeys.load(from: folder.path + "/key")
        var service = KeyService(keys, SigningBounds()) { _ in }
        func answer(_ authority: AuthorityCertificate?) throws -> KeyAnswer {
            var order = order(.renewal, Identity(role: .host, name: "web-1"))
            order.authority = authority.map { Hex.encode($0.fingerprint) }
            let bytes = service.answer(
                try ChannelJSON.encode(KeyRequest(order: order)), nowMilliseconds: ChannelClock.system(), time: .seconds(1))
            return try ChannelJSON.decode(KeyAnswer.self, from: try #require(bytes))
        }
        for (named, signer) in [(nil, authority.certificate), (authority.certificate, authority.certificate), (next, next)] {
            let answer = try answer(named)
            #expect(answer.authority == Hex.encode(authority.fingerprint))
            #expect(answer.authorities == [authority.certificate, next].map { Hex.encode($0.fingerprint) })
            #expect(signer.hasSigned(try PEM.certificate(try #require(answer.certificate), from: "the answer")))
        }
        let other = try CertificateAuthority.make(site: "site-1", nowMilliseconds: ChannelClock.system())
        #expect(try answer(other.certificate).refusal?.code == .authorityMissing)
        // An order of a version that knows of one, and what such a key process answers.
        let old = try ChannelJSON.decode(KeyAnswer.self, from: Array(#"{"authority":"ab"}"#.utf8))
        #expect(old.allAuthorities == ["ab"])
    }
}
