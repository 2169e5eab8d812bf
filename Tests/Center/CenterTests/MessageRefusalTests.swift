// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import CenterServer
import CenterStore
import EpitopeModel
import GlobalCenter
import Logging
import PacketCoding
import ServiceLifecycle
import Signatures
import TestSupport
import Testing

@testable import SecureChannel

/// The list by which senders give a message up, against a real center: server, store and all.
struct MessageRefusalTests {
    private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    @Test func `A center answers with each code that a sender takes for final`() async throws {
        let answers = try await answers()
        #expect(Set(answers) == EpitopeError.Code.messageRefusals)
    }

    @Test func `An error that may pass is not final for a message`() {
        let passing: [EpitopeError.Code] = [
            .centerUnreachable, .answerMalformed, .centerWrong, .diskFull, .storeBusy, .senderBusy, .senderOverShare, .storeFailed,
            .storeUnusable, .internalFailure, .notServedHere,
        ]
        for code in passing {
            #expect(!EpitopeError(code, "", remedy: "").isFinalForMessage, "\(code.rawValue)")
            #expect(!EpitopeError.Code.senderRefusals.contains(code), "\(code.rawValue)")
        }
    }

    @Test func `A refusal is either of the message or of its sender`() {
        #expect(EpitopeError.Code.messageRefusals.isDisjoint(with: EpitopeError.Code.senderRefusals))
    }

    /// What a center answers to each kind of message that it can never accept.
    private func answers() async throws -> [EpitopeError.Code] {
        let good = Samples.packet().encoded()
        var future = good
        // The first field of a packet is its version: tag 0x08, then the number.
        future[1] = 0x63
        var astray = Samples.packet()
        astray.callersAddress = 0x9999
        var portsWithoutTransport = Fixture.update(attack: 1)
        portsWithoutTransport.signature.context = SignatureContext(transport: nil, ports: [80], direction: .any)
        let fromHost: [(path: String, body: [UInt8])] = [
            (ChannelPath.packets, [UInt8](repeating: 0, count: ExtractedPacket.maxEncodedBytes + 1)),
            (ChannelPath.packets, Array(good.dropLast(3))), (ChannelPath.packets, future),
            (ChannelPath.packets, astray.encoded()), (ChannelPath.packets, Samples.packet(hostID: "host-2").encoded()),
            (ChannelPath.renew, [UInt8](repeating: 0, count: 40_000)), (ChannelPath.renew, [1, 2, 3]),
        ]
        let fromSite = [(path: ChannelPath.updates, body: portsWithoutTransport.encoded())]
        return try await withCenter { center in
            try await refusals(of: fromHost, by: center, sender: Fixture.host)
                + refusals(of: fromSite, by: center, sender: Fixture.site)
        }
    }

    private struct Center: Sendable {
        let authority: CertificateAuthority
        let address: CenterAddress
    }

    private func refusals(
        of messages: [(path: String, body: [UInt8])], by center: Center, sender: Identity
    ) async throws -> [EpitopeError.Code] {
        let key = try KeyWithRequest()
        let certificate = try center.authority.issue(to: sender, request: key.requestPEM)
        let transport = try CenterTransport(
            center: center.address, authorityPEM: center.authority.certificatePEM, credentials: (certificate, key.keyPEM))
        var codes: [EpitopeError.Code] = []
        for message in messages {
            let error = await #expect(throws: EpitopeError.self) {
                try await transport.postProtobuf(message.path, message.body)
            }
            if let error { codes.append(error.code) }
        }
        await transport.shutdown()
        return codes
    }

    private func withCenter<Value>(_ body: (Center) async throws -> Value) async throws -> Value {
        let folder = try TemporaryFolder()
        let store = try TestStore.open(path: "\(folder.path)/global.sqlite")
        let authority = try CertificateAuthority.create(in: "\(folder.path)/authority", site: "global", serverNames: ["127.0.0.1"])
        var configuration = GlobalCenterConfiguration()
        configuration.analysis.requireGoodware = false
        configuration.acceptsHosts = true
        let service = GlobalCenterService(configuration: configuration, store: store, logger: Self.quiet)
        let server = try CenterServer(
            configuration: .init(host: "127.0.0.1", port: 0), authorities: AuthorityBook(CenterAuthorities(authority.certificate)),
            issuer: authority,
            certificate: try ServerCertificate.load(
                from: "\(folder.path)/authority", authorities: CenterAuthorities(authority.certificate)), ledger: store,
            service: service, logger: Self.quiet)
        let group = ServiceGroup(configuration: .init(services: [server], logger: Self.quiet))
        let running = Task { try await group.run() }
        let result: Result<Value, any Error>
        do {
            let address = try CenterAddress(host: "127.0.0.1", port: UInt16(try await server.port))
            result = .success(try await body(Center(authority: authority, address: address)))
        } catch {
            result = .failure(error)
        }
        await group.triggerGracefulShutdown()
        try await running.value
        return try result.get()
    }
}
