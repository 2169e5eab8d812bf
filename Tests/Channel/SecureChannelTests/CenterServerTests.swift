// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import EpitopeModel
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import TestSupport
import Testing

@testable import CenterServer
@testable import SecureChannel

struct CenterServerTests {
    @Test
    func `A certificate that was issued by a wrong clock is replaced once that is right, and not while it jumps`() async throws {
        try await withFolder { directory in
            let (today, day) = (ChannelClock.system(), Duration.days(1).inMilliseconds)
            let folder = "\(directory)/authority"
            let authority = try CertificateAuthority.create(in: folder, site: "site-1", serverNames: ["127.0.0.1"])
            let stored = try ServerCertificate.load(from: folder, authorities: CenterAuthorities(authority.certificate))
            func renewed(_ certificate: ServerCertificate, by clock: Int64, steady: Int64) async throws -> ServerCertificate {
                let renewal = ServerCertificateRenewal(
                    directory: folder, authorities: AuthorityBook(CenterAuthorities(authority.certificate)), issuer: authority,
                    ledger: MemoryLedger(), certificate: certificate,
                    tls: try ServerTLS(certificate), logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, now: { clock },
                    steadyNow: { steady })
                return await renewal.renewIfDue(certificate)
            }
            let ahead = today + 100 * day
            #expect(try await renewed(stored, by: ahead, steady: today).chainPEM == stored.chainPEM, "the clock jumped a moment ago")
            let believed = try await renewed(stored, by: ahead, steady: ahead)
            #expect(believed.issuedMilliseconds > today && believed.expiresMilliseconds > ahead)
            let right = try await renewed(believed, by: today, steady: ahead)
            #expect(right.issuedMilliseconds <= today && right.expiresMilliseconds > today)
            #expect(try await renewed(right, by: today, steady: today).chainPEM == right.chainPEM, "that one stays")
        }
    }

    @Test
    func `The server speaks TLS 1.3 and nothing older`() async throws {
        try await TestCenter.run { center in
            func health(_ maximum: TLSVersion) async throws -> Bool {
                var tls = TLSConfiguration.makeClientConfiguration()
                tls.maximumTLSVersion = maximum
                tls.trustRoots = .certificates([
                    try NIOSSLCertificate(bytes: Array(center.authority.certificatePEM.utf8), format: .pem)
                ])
                var pool = HTTPClient.Configuration.ConnectionPool()
                pool.retryConnectionEstablishment = false
                let client = HTTPClient(
                    eventLoopGroupProvider: .singleton,
                    configuration: .init(tlsConfiguration: tls, connectionPool: pool))
                let request = HTTPClientRequest(url: center.address.description + ChannelPath.health)
                let answered = (try? await client.execute(request, timeout: .seconds(20)))?.status.code == 200
                try await client.shutdown()
                return answered
            }
            let current = try await health(.tlsv13)
            let old = try await health(.tlsv12)
            #expect(current && !old)
        }
    }

    @Test
    func `A server that cannot listen fails, and so does the wait for its port`() async throws {
        try await TestCenter.run { center in
            let server = try CenterServer(
                configuration: .init(host: "127.0.0.1", port: Int(center.address.port)),
                authorities: AuthorityBook(CenterAuthorities(center.authority.certificate)),
                issuer: center.authority,
                certificate: try ServerCertificate.load(
                    from: "\(center.directory)/authority", authorities: CenterAuthorities(center.authority.certificate)),
                ledger: center.ledger, service: center.service, logger: .init(label: "test"))
            let error = await #expect(throws: EpitopeError.self) { try await server.run() }
            #expect(error?.code == .listeningFailed)
            #expect(error?.message == "could not listen on 127.0.0.1 port \(center.address.port): the address is already in use")
            #expect(error?.remedy.contains("another program listens there") == true)
            #expect(await code { try await server.port } == .listeningFailed)
        }
    }

    @Test
    func `An enrolled host cannot pose as the center, though the same authority issued its certificate`() async throws {
        try await TestCenter.run { center in
            let host = try center.identity()
            let impostor = try await Self.serve(
                chain: [host.certificatePEM, center.authority.certificatePEM], key: host.keyPEM)
            let address = try CenterAddress(
                host: "127.0.0.1", port: UInt16(try #require(impostor.localAddress?.port)))
            let token = try await center.token()
            #expect(
                await code {
                    try await EnrolmentClient.enroll(
                        at: CenterList(address), token: token, storingIn: "\(center.directory)/victim")
                } == .centerWrong)
            let secret = try EnrolmentToken(token).secretHash
            _ = try await center.ledger.grant(ofToken: secret, to: EnrolmentApplicant(role: .host), nowMilliseconds: 0)
            let astray = try StoredIdentity(
                centers: CenterList(address), keyPEM: host.keyPEM, certificatePEM: host.certificatePEM,
                authorityPEM: host.authorityPEM)
            try await center.client(astray) { client in
                #expect(await code { try await client.send(Samples.packet()) } == .centerWrong)
            }
            try await impostor.close()
        }
    }

    /// A TLS server that says nothing, on any free port.
    static func serve(chain: [String], key: String) async throws -> any Channel {
        let sources = try chain.map { pem in
            NIOSSLCertificateSource.certificate(try NIOSSLCertificate(bytes: Array(pem.utf8), format: .pem))
        }
        let context = try NIOSSLContext(
            configuration: .makeServerConfiguration(
                certificateChain: sources,
                privateKey: .privateKey(try NIOSSLPrivateKey(bytes: Array(key.utf8), format: .pem))))
        return try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    private struct Health: Decodable, Equatable {
        var status: String
        var problems: [String: String]
    }

    @Test
    func `A center says which part of its work fails, by its code`() async throws {
        try await TestCenter.run { center in
            func answer() async throws -> Health {
                try await center.transport(credentials: nil) {
                    try ChannelJSON.decode(Health.self, from: try await $0.get(ChannelPath.health, waitSeconds: 0))
                }
            }
            let before = try await answer()
            #expect(before == Health(status: "serving", problems: [:]))
            center.service.health?.failed(.ids, EpitopeError(.storeFailed, "secret", remedy: "none"))
            let during = try await answer()
            #expect(during == Health(status: "degraded", problems: ["ids": "store-failed"]))
            center.service.health?.works(.ids)
            let after = try await answer()
            #expect(after == before)
        }
    }

    @Test
    func `What a sender did wrong is no failure of the center`() async {
        let health = ServiceHealth()
        func note(_ code: EpitopeError.Code) async {
            await #expect(throws: EpitopeError.self) {
                try await health.noting(.store) { throw EpitopeError(code, "no", remedy: "none") }
            }
        }
        await note(.packetTooLarge)
        #expect(health.problems.isEmpty)
        await note(.diskFull)
        #expect(health.problems == [.store: .diskFull])
        await note(.packetTooLarge)
        #expect(health.problems == [.store: .diskFull])
        _ = try? await health.noting(.store) { 1 }
        #expect(health.problems.isEmpty)
    }
}

@Suite struct LineBudgetTests {
    @Test func `However many requests are refused, so many lines a minute tell of them, and of how many they don't`() {
        var budget = LineBudget()
        let start = ContinuousClock.now
        let told = (0..<10_000).compactMap { budget.take(now: start + .milliseconds($0)) }
        #expect(told == Array(repeating: 0, count: LineBudget.lines))
        #expect(budget.take(now: start + .seconds(60)) == 10_000 - LineBudget.lines)
        #expect(budget.take(now: start + .seconds(61)) == 0)
    }
}
