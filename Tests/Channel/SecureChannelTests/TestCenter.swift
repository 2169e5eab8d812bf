// SPDX-License-Identifier: Apache-2.0

import CenterServer
import EpitopeModel
import Foundation
import Logging
import PacketCoding
import ServiceLifecycle
import Synchronization
import Testing

@testable import SecureChannel

/// A real center server on 127.0.0.1, with an authority, a ledger and a service of its own.
struct TestCenter: Sendable {
    let directory: String
    let authority: CertificateAuthority
    /// The server's certificate as it was when the center started.
    let firstCertificate: ServerCertificate
    let ledger: MemoryLedger
    let service: RecordingService
    let clock: TestClock
    let server: CenterServer
    let group: ServiceGroup
    let address: CenterAddress

    /// Runs a center for as long as the test's body runs, then stops it and removes its folder.
    ///
    /// - Parameter other: one whose authority and ledger it shares: another center of the same site.
    static func run<Value: Sendable>(
        scope: CenterScope = .local, accepts: Set<CenterEndpoint> = Set(CenterEndpoint.allCases),
        names: [String] = ["127.0.0.1", "center.example"],
        beside other: TestCenter? = nil, port: Int = 0, madeDaysAgo: Int64 = 0, maxConnections: Int = 1024, steadyClock: TestClock? = nil,
        issuer: (any CertificateIssuing)? = nil,
        _ body: @Sendable (TestCenter) async throws -> Value
    ) async throws -> Value {
        try await withFolder { directory in
            let authorityDirectory = "\(other?.directory ?? directory)/authority"
            let clock = TestClock()
            let authority =
                try other?.authority
                ?? CertificateAuthority.create(
                    in: authorityDirectory, site: "site-1", serverNames: names,
                    nowMilliseconds: clock.now() - Duration.days(madeDaysAgo).inMilliseconds)
            let certificate = try ServerCertificate.load(from: authorityDirectory, authorities: CenterAuthorities(authority.certificate))
            let ledger = other?.ledger ?? MemoryLedger()
            let service = RecordingService(scope: scope, accepts: accepts)
            let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            let server = try CenterServer(
                configuration: .init(
                    host: "127.0.0.1", port: port, maxConnections: maxConnections,
                    // Clients judge its certificate by the machine's clock: by the test's, it would be replaced by one of another time
                    // as soon as the server looks.
                    authorityDirectory: madeDaysAgo > 0 ? authorityDirectory : nil),
                authorities: AuthorityBook(CenterAuthorities(authority.certificate)), issuer: issuer ?? authority, certificate: certificate,
                ledger: ledger, service: service, logger: quiet, now: clock.now, steadyNow: steadyClock?.now)
            let group = ServiceGroup(configuration: .init(services: [server], logger: quiet))
            async let running: Void = group.run()
            do {
                let center = TestCenter(
                    directory: directory, authority: authority, firstCertificate: certificate, ledger: ledger,
                    service: service, clock: clock, server: server, group: group,
                    address: try CenterAddress(host: "127.0.0.1", port: UInt16(try await server.port)))
                let value = try await body(center)
                await group.triggerGracefulShutdown()
                try await running
                return value
            } catch {
                await group.triggerGracefulShutdown()
                try? await running
                throw error
            }
        }
    }

    /// A new token's text.
    func token(
        _ role: Identity.Role = .host, _ name: String = "host-1",
        lifetimeMilliseconds: Int64 = EnrolmentToken.defaultLifetimeMilliseconds
    ) async throws -> String {
        try await authority.certificate.makeToken(
            for: Identity(role: role, name: name), in: ledger, nowMilliseconds: clock.now(),
            lifetimeMilliseconds: lifetimeMilliseconds
        ).description
    }

    /// An identity as enrolment would store it.
    func identity(_ role: Identity.Role = .host, _ name: String = "host-1") throws -> StoredIdentity {
        let made = try KeyWithRequest()
        let certificate = try authority.issue(
            to: Identity(role: role, name: name), request: made.requestPEM,
            nowMilliseconds: clock.now())
        return try StoredIdentity(
            centers: CenterList(address), keyPEM: made.keyPEM, certificatePEM: certificate, authorityPEM: authority.certificatePEM)
    }

    /// Runs a client of this center and shuts it down.
    func client<Value: Sendable>(
        _ identity: StoredIdentity? = nil, _ body: @Sendable (CenterClient) async throws -> Value
    ) async throws -> Value {
        let client = try CenterClient(try identity ?? self.identity())
        do {
            let value = try await body(client)
            await client.shutdown()
            return value
        } catch {
            await client.shutdown()
            throw error
        }
    }

    /// Runs requests below the client's level: any credentials, any bytes.
    func transport<Value: Sendable>(
        credentials: StoredIdentity?, _ body: @Sendable (CenterTransport) async throws -> Value
    ) async throws -> Value {
        let transport = try CenterTransport(
            center: address, authorityPEM: authority.certificatePEM,
            credentials: credentials.map { ($0.certificatePEM, $0.keyPEM) })
        do {
            let value = try await body(transport)
            await transport.shutdown()
            return value
        } catch {
            await transport.shutdown()
            throw error
        }
    }
}

extension CenterClient {
    func send(_ packet: ExtractedPacket) async throws(EpitopeError) -> Receipt {
        try await send(EncodedPacket(packet))
    }
}

/// The machine's clock, which tests can put forward.
final class TestClock: Sendable {
    private let ahead = Mutex<Int64>(0)

    var now: @Sendable () -> Int64 {
        { self.ahead.withLock { ChannelClock.system() + $0 } }
    }

    func advance(days: Int64) {
        advance(by: .days(days))
    }

    /// A negative time sets the clock back.
    func advance(by time: Duration) {
        ahead.withLock { $0 += time.inMilliseconds }
    }
}

/// A folder of its own for a test, removed at its end.
func withFolder<Value: Sendable>(_ body: @Sendable (String) async throws -> Value) async throws -> Value {
    let folder = FileManager.default.temporaryDirectory.appending(path: "epitope-channel-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try await body(folder.path)
}

/// The code of the ``EpitopeError`` that the body throws; fails the test, at the call's place, when it throws none.
func code(sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> some Any) async -> EpitopeError.Code? {
    let error = await #expect(throws: EpitopeError.self, sourceLocation: sourceLocation) { _ = try await body() }
    return error?.code
}

func mode(of path: String) throws -> Int? {
    try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
}
