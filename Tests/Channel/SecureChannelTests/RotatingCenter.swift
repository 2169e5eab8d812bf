// SPDX-License-Identifier: Apache-2.0

import CenterServer
import EpitopeModel
import Foundation
import Logging
import PacketCoding
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@testable import SecureChannel

/// A center whose authority is replaced while it serves, by what a person's command writes to its folders.
struct RotatingCenter: Sendable {
    let directory: String
    let ledger: MemoryLedger
    let service: RecordingService
    let address: CenterAddress

    /// The center's folders, beneath one.
    static func authority(_ directory: String) -> String { "\(directory)/authority" }
    static func key(_ directory: String) -> String { "\(directory)/key" }

    static func create(in directory: String) throws -> CertificateAuthority {
        try CertificateAuthority.create(
            in: authority(directory), keyIn: key(directory), site: "site-1", serverNames: ["127.0.0.1", "center.example"])
    }

    var rotation: AuthorityRotation { Self.rotation(directory) }

    static func rotation(_ directory: String) -> AuthorityRotation {
        AuthorityRotation(in: authority(directory), keyIn: key(directory))
    }

    /// Whoever has the keys, as they are in their folder now.
    struct Issuer: CertificateIssuing {
        let directory: String

        func issue(_ order: CertificateOrder) throws(EpitopeError) -> String {
            try AuthorityKeys.load(from: RotatingCenter.key(directory)).issue(order)
        }

        func hasKey(of authority: AuthorityCertificate) -> Bool {
            (try? AuthorityKeys.load(from: RotatingCenter.key(directory)))?.hasKey(of: authority) ?? false
        }
    }

    /// Runs a center of the folders for as long as the body runs.
    ///
    /// - Parameter port: 0 for any.
    static func run<Value: Sendable>(
        _ directory: String, port: UInt16 = 0, ledger: MemoryLedger = MemoryLedger(),
        _ body: @Sendable (RotatingCenter) async throws -> Value
    ) async throws -> Value {
        let issuer = Issuer(directory: directory)
        let authorities = AuthorityBook(try CenterAuthorities.load(from: authority(directory)))
        let service = RecordingService()
        let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let server = try CenterServer(
            configuration: .init(host: "127.0.0.1", port: Int(port), authorityDirectory: authority(directory)), authorities: authorities,
            issuer: issuer,
            certificate: await ServerCertificate.loadOrRenew(
                from: authority(directory), authorities: authorities.authorities, issuer: issuer),
            ledger: ledger, service: service, logger: quiet)
        let group = ServiceGroup(configuration: .init(services: [server], logger: quiet))
        async let running: Void = group.run()
        do {
            let address = try CenterAddress(host: "127.0.0.1", port: UInt16(try await server.port))
            let value = try await body(RotatingCenter(directory: directory, ledger: ledger, service: service, address: address))
            await group.triggerGracefulShutdown()
            try await running
            return value
        } catch {
            await group.triggerGracefulShutdown()
            try? await running
            throw error
        }
    }

    /// An identity as enrolment would store it, by an authority.
    func identity(_ name: String, by authority: CertificateAuthority) throws -> StoredIdentity {
        let made = try KeyWithRequest()
        let certificate = try authority.issue(to: Identity(role: .host, name: name), request: made.requestPEM)
        return try StoredIdentity(
            centers: CenterList(address), keyPEM: made.keyPEM, certificatePEM: certificate, authorityPEM: authority.certificatePEM)
    }

    /// What the center answers to an identity when it is asked for its health: `nil`: it lets it in.
    func refusal(of identity: StoredIdentity) async -> EpitopeError.Code? {
        do {
            let client = try CenterClient(identity)
            let answer = await Result { try await client.warmUp() }
            await client.shutdown()
            _ = try answer.get()
            return nil
        } catch {
            return (error as? EpitopeError)?.code
        }
    }

    /// What a host's program does that looks after its identity once.
    @discardableResult
    func look(_ host: String, sending: Bool = false) async -> [EnrolledClient.Event] {
        let heard = EventList()
        let client = EnrolledClient(directory: host, spread: 0, onEvent: { heard.add($0) })
        await client.lookAfter()
        if sending { _ = try? await client.send(EncodedPacket(Samples.packet())) }
        await client.shutdown()
        return heard.all
    }
}

/// Events in their order.
final class EventList: Sendable {
    private let events = Mutex<[EnrolledClient.Event]>([])
    var all: [EnrolledClient.Event] { events.withLock { $0 } }
    func add(_ event: EnrolledClient.Event) { events.withLock { $0.append(event) } }
}

extension Result where Failure == any Error {
    /// The outcome of an asynchronous call.
    init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
