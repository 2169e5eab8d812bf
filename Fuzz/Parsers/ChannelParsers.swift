// SPDX-License-Identifier: Apache-2.0

import Crypto
import EpitopeModel
import Foundation
import KeyProcess
import PacketCoding
import SecureChannel
import SwiftASN1
import TestSupport
import X509

extension FuzzParser {
    /// What a center reads of senders that it doesn't know yet, what senders read of a center, and offers of codes. Every reader reads
    /// every input.
    static let channel = FuzzParser(
        name: "channel", what: "enrolments, renewals, certificate requests, refusals, offers", dictionary: JSONWords.all,
        seeds: { _ in
            let request = try certificateRequest()
            let refused = EpitopeError(.packetMalformed, "the packet is malformed", remedy: "send another")
            let offer = Array(repeating: UInt8(ascii: "a"), count: 64) + Samples.packet().encoded()
            return try [
                ChannelJSON.encode(EnrolmentRequest(token: "token", request: request, role: .host)),
                ChannelJSON.encode(RenewalRequest(request: request)),
                ChannelJSON.encode(IssuedCertificate(certificate: request, authority: request)),
                ChannelJSON.encode(SecureChannel.Refusal(refused)),
                Array(request.utf8), offer, Array("https://a.example:7443,https://[::1]:7443".utf8), Array("1.2.3+abc".utf8),
            ]
        },
        run: { input, _ in
            var isAccepted = false
            if let enrolment = try? ChannelJSON.decode(EnrolmentRequest.self, from: input) { isAccepted = isRequest(enrolment.request) }
            if let renewal = try? ChannelJSON.decode(RenewalRequest.self, from: input) {
                isAccepted = isRequest(renewal.request) || isAccepted
            }
            if (try? ChannelJSON.decode(IssuedCertificate.self, from: input)) != nil { isAccepted = true }
            if let refusal = try? ChannelJSON.decode(SecureChannel.Refusal.self, from: input) {
                let error = refusal.error
                for text in [error.code.rawValue, error.message, error.remedy]
                where text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7f }) {
                    broken("a refusal acts on a terminal")
                }
                isAccepted = true
            }
            isAccepted = isRequest(String(decoding: input, as: UTF8.self)) || isAccepted
            let text = String(decoding: input, as: UTF8.self)
            if let list = try? CenterList(parsing: [text]) {
                guard (try? CenterList(parsing: [list.description])) == list else {
                    broken("a list of centers is read otherwise than written")
                }
                isAccepted = true
            }
            let note = SenderNote { _ in text }
            if let version = note.version {
                guard version == text, version.utf8.count <= 32 else { broken("a header is taken that is no word") }
                isAccepted = true
            }
            let (digest, frame) = (input.prefix(64), Array(input.dropFirst(64)))
            let place = "\(frame.count / 2)"
            if let offer = CodeOffer(code: Substring(decoding: digest, as: UTF8.self), place: place[...], frame: frame) {
                if let whole = offer.joined(with: [1, 2, 3]) { _ = try? ReceivedPacket(encoded: whole) }
                isAccepted = true
            }
            guard isAccepted else { throw Refusal("not-understood") }
        })

    /// The key process: who sends it orders gets an answer or nothing, and never a certificate that it may not have.
    static let keyProcess = FuzzParser(
        name: "key-process", what: "orders for the process that has the authority's key, signed", dictionary: JSONWords.all,
        seeds: { _ in
            let key = try CertificateOrder.publicKey(ofRequest: certificateRequest())
            let orders = [
                CertificateOrder(
                    .enrolment, for: Identity(role: .host, name: "host-1"), publicKey: key, validityDays: 90, issuedMilliseconds: keyTime),
                CertificateOrder(
                    .server, for: Identity(role: .center, name: "site"), publicKey: key, names: ["center.example"], validityDays: 90,
                    issuedMilliseconds: keyTime),
            ]
            return try orders.map { try ChannelJSON.encode(["order": $0]) } + [Array("{}".utf8)]
        },
        run: { input, scratch in
            var bounds = SigningBounds()
            // The seeds are as old as the run.
            bounds.maxClockDifference = .seconds(86400)
            var service = KeyService(AuthorityKeys(try keyAuthority(scratch)), bounds, log: { _ in })
            guard let answer = service.answer(input, nowMilliseconds: keyTime, time: .seconds(1)) else { throw Refusal("no-request") }
            guard let object = try? JSONSerialization.jsonObject(with: Data(answer)) as? [String: Any] else {
                broken("the answer is no JSON")
            }
            guard let certificate = object["certificate"] as? String else { return }
            let issued = try Certificate(pemEncoded: certificate)
            if case .isCertificateAuthority = try issued.extensions.basicConstraints { broken("who asks becomes an authority") }
            let life = issued.notValidAfter.timeIntervalSince(issued.notValidBefore)
            guard life < 100 * 86400 else { broken("a certificate lives too long") }
        })

    /// When the orders of the seeds were given, in milliseconds since 1970: an authority is not loaded before its time.
    private static let keyTime = Int64(Date().timeIntervalSince1970 * 1000)

    /// One for all inputs of a folder.
    private static func keyAuthority(_ scratch: FuzzScratch) throws -> CertificateAuthority {
        let folder = scratch.file("authority")
        if let known = try? CertificateAuthority.load(from: folder) { return known }
        return try CertificateAuthority.create(in: folder, site: "site", serverNames: ["center.example"])
    }

    private static func certificateRequest() throws -> String {
        let request = try CertificateSigningRequest(
            version: .v1, subject: DistinguishedName(), privateKey: .init(P256.Signing.PrivateKey()), attributes: .init(),
            signatureAlgorithm: .ecdsaWithSHA256)
        return try request.serializeAsPEM().pemString
    }

    private static func isRequest(_ text: String) -> Bool { (try? CertificateOrder.publicKey(ofRequest: text)) != nil }
}
