// SPDX-License-Identifier: Apache-2.0

import Crypto
import EpitopeModel
import Foundation
import PacketCoding
import TestSupport
import Testing
import X509

@testable import SecureChannel

@Suite("An authority is replaced without downtime") struct AuthorityRotationTests {
    private static func host(_ directory: String) -> String { "\(directory)/host" }

    private func stored(_ directory: String) throws -> StoredIdentity { try StoredIdentity.load(from: Self.host(directory)) }

    /// A client that ends with the body.
    private func withClient(_ identity: StoredIdentity, _ body: (CenterClient) async throws -> Void) async throws {
        let client = try CenterClient(identity)
        let outcome = await Result { try await body(client) }
        await client.shutdown()
        try outcome.get()
    }

    @Test func `a host follows by the old authority's signature, and trusts the new one alone in the end`() async throws {
        try await withFolder { directory in
            let old = try RotatingCenter.create(in: directory)
            try await RotatingCenter.run(directory) { center in
                try center.identity("host-1", by: old).save(in: Self.host(directory))
                let (first, other) = (try stored(directory), try center.identity("host-1", by: old))
                #expect(await center.look(Self.host(directory)).isEmpty)
                let next = try #require(try center.rotation.begin().0.next).certificate

                // It learns, and gets a certificate of the next authority, in one look.
                try await eventually("the center announces its next authority") {
                    await center.look(Self.host(directory)).contains(.authority(.announced))
                }
                let second = try stored(directory)
                #expect(second.authorityPEM == next.pem && second.trust.former?.certificate == first.certificatePEM)
                // Both count, and so does the one that knows of nothing.
                for identity in [first, second, other] { #expect(await center.refusal(of: identity) == nil) }
                #expect(await center.look(Self.host(directory)).isEmpty, "there is nothing more to do")

                // A connection that is open when the authority goes is of no use then.
                try await withClient(other) { client in
                    _ = try await client.send(Samples.packet())
                    #expect(try center.rotation.retire().current == next)
                    try await eventually("the old authority's certificates count no more") {
                        await center.refusal(of: first) == .certificateForeign
                    }
                    #expect(await code { try await client.send(Samples.packet()) } == .certificateForeign)
                }
                try await eventually("the host trusts the new authority alone") {
                    await center.look(Self.host(directory)).contains(.authority(.completed))
                }
                let third = try stored(directory)
                #expect(third.trust == AuthorityTrust() && third.authorityPEM == next.pem)
                #expect(third.trustedPEM == next.pem)
                #expect(await center.look(Self.host(directory), sending: true).isEmpty)
                #expect(await center.service.packets.count == 2)
            }
        }
    }

    @Test func `a program that knows of one authority works until that is retired, and is told then`() async throws {
        try await withFolder { directory in
            let old = try RotatingCenter.create(in: directory)
            try await RotatingCenter.run(directory) { center in
                let identity = try center.identity("host-1", by: old)
                _ = try center.rotation.begin()
                try await eventually("the next authority is announced") {
                    let other = "\(directory)/other"
                    try center.identity("host-2", by: old).save(in: other)
                    return await center.look(other).contains(.authority(.announced))
                }
                // It renews without a word on what it trusts, and enrols by a token that pins the old one.
                let made = try KeyWithRequest()
                let transport = try CenterTransport(
                    center: center.address, authorityPEM: old.certificatePEM, credentials: (identity.certificatePEM, identity.keyPEM))
                let renewed: IssuedCertificate = try await transport.postJSON(
                    ChannelPath.renew, ["request": made.requestPEM])
                await transport.shutdown()
                #expect(old.certificate.hasSigned(try PEM.certificate(renewed.certificate, from: "the answer")))
                let token = try await old.certificate.makeToken(for: Identity(role: .host, name: "host-3"), in: center.ledger)
                let enrolled = try await EnrolmentClient.enroll(
                    at: CenterList(center.address), token: "\(token)", storingIn: "\(directory)/third")
                #expect(enrolled.authorityPEM == old.certificatePEM)

                let present = try center.rotation.retire().current
                // Its TLS finds the way to the new authority, so that it hears why.
                try await eventually("the center shows a certificate of the new authority") {
                    await center.refusal(of: enrolled) == .certificateForeign
                }
                #expect(
                    await center.look("\(directory)/third").contains {
                        if case .refused(let error) = $0 { error.message.contains("retired") } else { false }
                    })
                let next = try await present.makeToken(for: Identity(role: .host, name: "host-4"), in: center.ledger)
                // Its own certificate comes a moment later.
                try await eventually("a host enrols by a token that pins the new authority") {
                    let enrolled = await Result {
                        try await EnrolmentClient.enroll(
                            at: CenterList(center.address), token: "\(next)", storingIn: "\(directory)/fourth")
                    }
                    return (try? enrolled.get()) != nil
                }
                let late = try await old.certificate.makeToken(for: Identity(role: .host, name: "host-5"), in: center.ledger)
                #expect(
                    await code {
                        try await EnrolmentClient.enroll(at: CenterList(center.address), token: "\(late)", storingIn: "\(directory)/fifth")
                    } == .authorityMismatch)
            }
        }
    }

    @Test func `a stolen key of the old authority is of no use once it is retired`() async throws {
        try await withFolder { directory in
            let stolen = try RotatingCenter.create(in: directory)
            let port = try await RotatingCenter.run(directory) { center in
                try center.identity("host-1", by: stolen).save(in: Self.host(directory))
                _ = try center.rotation.begin()
                try await eventually("the host follows") {
                    await center.look(Self.host(directory))
                    return try stored(directory).trust.former != nil
                }
                _ = try center.rotation.retire()
                try await eventually("the host trusts the new one alone") {
                    await center.look(Self.host(directory)).contains(.authority(.completed))
                }
                // As a host, with a certificate that was made just now.
                #expect(await center.refusal(of: try center.identity("host-1", by: stolen)) == .certificateForeign)
                return center.address.port
            }
            // As the center, at its address: with a certificate of its own, and with an authority that it signs for.
            try await withFolder { posing in
                try FileManager.default.createDirectory(atPath: RotatingCenter.key(posing), withIntermediateDirectories: true)
                try PrivateFiles.makeDirectory(RotatingCenter.authority(posing))
                try PrivateFiles.save(try PEM.text(stolen.key), to: "\(RotatingCenter.key(posing))/authority-key.pem")
                for folder in [RotatingCenter.key(posing), RotatingCenter.authority(posing)] {
                    try CenterAuthorities(stolen.certificate).save(in: folder)
                }
                try stolen.issueServerCertificate(center: "site-1", names: ["127.0.0.1"]).save(in: RotatingCenter.authority(posing))
                try await RotatingCenter.run(posing, port: port) { center in
                    #expect(await center.refusal(of: try stored(directory)) == .centerWrong)
                    _ = try center.rotation.begin()
                    try await Task.sleep(for: .seconds(4))
                    #expect(await center.refusal(of: try stored(directory)) == .centerWrong)
                    _ = try center.rotation.retire()
                    try await Task.sleep(for: .seconds(4))
                    #expect(await center.refusal(of: try stored(directory)) == .centerWrong)
                }
            }
        }
    }

    @Test func `a center that was put back to a state from before is sent to by the former certificate, and followed again`() async throws {
        try await withFolder { directory in
            let old = try RotatingCenter.create(in: directory)
            let before = "\(directory)/before"
            try FileManager.default.createDirectory(atPath: before, withIntermediateDirectories: true)
            for folder in ["authority", "key"] {
                try FileManager.default.copyItem(atPath: "\(directory)/\(folder)", toPath: "\(before)/\(folder)")
            }
            let port = try await RotatingCenter.run(directory) { center in
                try center.identity("host-1", by: old).save(in: Self.host(directory))
                _ = try center.rotation.begin()
                try await eventually("the host follows") {
                    await center.look(Self.host(directory)).contains(.authority(.announced))
                }
                #expect(try stored(directory).trust.former != nil)
                return center.address.port
            }
            try await RotatingCenter.run(before, port: port) { center in
                let events = await center.look(Self.host(directory), sending: true)
                #expect(
                    events.contains { if case .authority(.undone(let error)) = $0 { error.code == .certificateForeign } else { false } })
                #expect(await center.service.packets.count == 1)
                #expect(try stored(directory).authorityPEM == old.certificatePEM)
                // Another next authority than before.
                let next = try #require(try center.rotation.begin().0.next).certificate
                try await eventually("the host follows again") {
                    await center.look(Self.host(directory)).contains(.authority(.announced))
                }
                #expect(try stored(directory).authorityPEM == next.pem)
            }
        }
    }

    @Test func `where another machine has retired the authority, the next one counts, or nobody is let in`() async throws {
        try await withFolder { directory in
            let old = try RotatingCenter.create(in: directory)
            try await RotatingCenter.run(directory) { center in
                let host = try center.identity("host-1", by: old)
                #expect(await center.refusal(of: host) == nil)
                await center.ledger.retire(old.certificate)
                try await eventually("nobody is let in") { await center.refusal(of: host) == .authorityElsewhere }
                let token = try await old.certificate.makeToken(for: Identity(role: .host, name: "host-2"), in: center.ledger)
                await #expect(throws: EpitopeError.self) {
                    try await EnrolmentClient.enroll(at: CenterList(center.address), token: "\(token)", storingIn: "\(directory)/second")
                }
                // Its files come from the other machine.
                let next = try #require(try center.rotation.begin().0.next?.certificate)
                try await eventually("by the next authority") { await center.refusal(of: host) == .certificateForeign }
                let pinned = try await next.makeToken(for: Identity(role: .host, name: "host-3"), in: center.ledger)
                try await eventually("a host enrols") {
                    let enrolled = await Result {
                        try await EnrolmentClient.enroll(
                            at: CenterList(center.address), token: "\(pinned)", storingIn: "\(directory)/third")
                    }
                    return (try? enrolled.get()) != nil
                }
                #expect(try StoredIdentity.load(from: "\(directory)/third").authorityPEM == next.pem)
            }
        }
    }

    @Test func `an authority that was retired counts no more, and the next one does in its place`() async throws {
        try await withFolder { directory in
            let old = try RotatingCenter.create(in: directory).certificate
            let begun = try RotatingCenter.rotation(directory).begin().0
            let next = try #require(begun.next?.certificate)
            func hex(_ authority: AuthorityCertificate) -> String { Hex.encode(authority.fingerprint) }
            #expect(try begun.without([]) == begun)
            #expect(try begun.without(["00", hex(next)]) == begun)
            #expect(try begun.without([hex(old)]) == RotatingCenter.rotation(directory).retire())
            #expect(throws: EpitopeError.self) { try begun.without([hex(old), hex(next)]) }
            #expect(throws: EpitopeError.self) { try CenterAuthorities(old).without([hex(old)]) }
        }
    }

    @Test func `nobody's word but the trusted authority's makes a host trust another`() throws {
        let now = ChannelClock.system()
        let (old, other) = (
            try CertificateAuthority.make(site: "a", nowMilliseconds: now), try CertificateAuthority.make(site: "a", nowMilliseconds: now)
        )
        let next = try old.makeNext(nowMilliseconds: now).successor
        func believed(_ announcement: SuccessorAnnouncement, at time: Int64 = now) -> EpitopeError.Code? {
            do throws(EpitopeError) {
                _ = try AuthoritySuccessor(announcement, of: old.certificate, nowMilliseconds: time)
                return nil
            } catch { return error.code }
        }
        let good = SuccessorAnnouncement(next, withinSeconds: 0)
        #expect(believed(good) == nil)
        let others = SuccessorAnnouncement(try other.makeNext(nowMilliseconds: now).successor, withinSeconds: 0)
        #expect(believed(others) == .successorUnproven, "signed by another authority of the same name")
        #expect(
            believed(SuccessorAnnouncement(replacing: good, authority: others.authority)) == .successorUnproven, "another's certificate")
        #expect(believed(SuccessorAnnouncement(replacing: good, authority: old.certificatePEM)) == .successorUnproven, "itself")
        #expect(
            believed(SuccessorAnnouncement(replacing: good, statement: next.certificate.pem)) == .successorUnproven, "its own signature")
        #expect(believed(SuccessorAnnouncement(replacing: good, statement: "")) == .successorUnproven)
        #expect(believed(good, at: now - Duration.days(1).inMilliseconds) == .successorUnproven, "not in force yet")
        #expect(believed(good, at: old.certificate.expiresMilliseconds + 1) == .successorUnproven, "the trusted one has ended")
        // What a key process signs is no authority, whatever a center orders.
        let request = try KeyWithRequest()
        let leaf = try old.issue(to: Identity(role: .host, name: "h"), request: request.requestPEM)
        #expect(believed(SuccessorAnnouncement(replacing: good, authority: leaf, statement: leaf)) == .successorUnproven)
    }

    @Test func `one step that is cut short anywhere is made again, and each state in between is whole`() async throws {
        try await withFolder { directory in
            _ = try RotatingCenter.create(in: directory)
            let (key, state) = (RotatingCenter.key(directory), RotatingCenter.authority(directory))
            /// The files that a step writes, in its order, with what it writes.
            func changes(_ step: () throws -> Void) throws -> [(path: String, before: String, after: String)] {
                let paths = ["\(key)/authority-key.pem", "\(key)/authority.pem", "\(state)/authority.pem"]
                let before = try paths.map { try String(contentsOfFile: $0, encoding: .utf8) }
                try step()
                return try zip(paths, before).map { ($0, $1, try String(contentsOfFile: $0, encoding: .utf8)) }
            }
            func write(_ texts: [(String, String)]) throws { for (path, text) in texts { try PrivateFiles.save(text, to: path) } }
            let rotation = RotatingCenter.rotation(directory)

            let begun = try changes { _ = try rotation.begin() }
            for cut in 0...3 {
                try write(begun.enumerated().map { ($1.path, $0 < cut ? $1.after : $1.before) })
                _ = try AuthorityKeys.load(from: key)
                let (again, isNew) = try rotation.begin()
                #expect(isNew == (cut < 2), "after \(cut) of 3")
                let keys = try AuthorityKeys.load(from: key)
                #expect(keys.next?.certificate == again.next?.certificate && keys.authorities == again)
                #expect(try CenterAuthorities.load(from: state) == again)
            }
            // Retirement writes the center's file first.
            let retired = try changes { _ = try rotation.retire() }
            let order = [2, 1, 0]
            for cut in 0...3 {
                try write(order.enumerated().map { (retired[$1].path, $0 < cut ? retired[$1].after : retired[$1].before) })
                let keys = try AuthorityKeys.load(from: key)
                let known = try CenterAuthorities.load(from: state)
                #expect(keys.hasKey(of: known.current), "what the center orders by is there, after \(cut) of 3")
                let done = try rotation.retire()
                #expect(done.former != nil && done.next == nil)
                #expect(try CenterAuthorities.load(from: state) == done)
                let left = try String(contentsOfFile: "\(key)/authority-key.pem", encoding: .utf8)
                #expect(left == retired[0].after, "the old key is gone, after \(cut) of 3")
            }
            #expect(throws: EpitopeError.self) { try RotatingCenter.rotation("\(directory)/none").begin() }
        }
    }

    @Test func `where the keys lie with the rest, as versions before had it, it is the same`() async throws {
        try await withFolder { directory in
            let old = try CertificateAuthority.create(in: directory, site: "site-1", serverNames: ["127.0.0.1"])
            let rotation = AuthorityRotation(in: directory, keyIn: directory)
            #expect(await code { try rotation.retire() } == .authorityMissing)
            let next = try #require(try rotation.begin().0.next).certificate
            #expect(try CertificateAuthority.load(from: directory).certificate == old.certificate)
            #expect(try rotation.retire().current == next)
            let keys = try AuthorityKeys.load(from: directory)
            #expect(keys.current.certificate == next && keys.next == nil)
            // The server's certificate is the former one's: it is replaced when the center starts.
            let server = try await ServerCertificate.loadOrRenew(from: directory, authorities: keys.authorities, issuer: keys)
            #expect(server.authority == next.fingerprint && server.chainPEM.count == 3)
        }
    }
}

extension SuccessorAnnouncement {
    fileprivate init(replacing one: SuccessorAnnouncement, authority: String? = nil, statement: String? = nil) {
        self = one
        if let authority { self.authority = authority }
        if let statement { self.statement = statement }
    }
}
