// SPDX-License-Identifier: Apache-2.0

import CenterAnalysis
import CenterServer
import CenterStore
import EpitopeModel
import GlobalCenter
import LocalCenter
import Logging
import PacketCoding
import Rendering
import SecureChannel
import ServiceLifecycle
import Signatures
import TestSupport
import Testing

/// Two sites and a global center over mutual TLS on 127.0.0.1: every part is real but the intrusion detection systems.
@Suite("An attack at one site is a rule at another")
struct NetworkChainTests {
    private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// A center's server, its authority and its background work.
    private struct Center: Sendable {
        let store: CenterStore
        let authority: CertificateAuthority
        let address: CenterAddress
        let scope: CenterScope

        /// Enrols somebody, as a person would: with a token, over the network.
        func enroll(_ identity: Identity, in folder: String) async throws -> CenterClient {
            let now = store.clock.nowMilliseconds
            let token = try await authority.certificate.makeToken(for: identity, in: store, nowMilliseconds: now)
            return try CenterClient(
                try await EnrolmentClient.enroll(
                    as: identity.role, at: CenterList(address), scope: scope, token: token.description, storingIn: folder))
        }
    }

    private func withCenter(
        _ name: String, in folder: TemporaryFolder, service: (CenterStore) -> any CenterRequestHandling & Service,
        _ body: (Center) async throws -> Void
    ) async throws {
        let store = try TestStore.open(path: "\(folder.path)/\(name).sqlite")
        let authority = try CertificateAuthority.create(
            in: "\(folder.path)/\(name)-authority", site: name, serverNames: ["127.0.0.1"],
            nowMilliseconds: store.clock.nowMilliseconds)
        let certificate = try ServerCertificate.load(
            from: "\(folder.path)/\(name)-authority", authorities: CenterAuthorities(authority.certificate))
        let center = service(store)
        let server = try CenterServer(
            configuration: .init(host: "127.0.0.1", port: 0), authorities: AuthorityBook(CenterAuthorities(authority.certificate)),
            issuer: authority,
            certificate: certificate, ledger: store, service: center, logger: Self.quiet)
        let group = ServiceGroup(configuration: .init(services: [server, center], logger: Self.quiet))
        let running = Task { try await group.run() }
        do {
            let address = try CenterAddress(host: "127.0.0.1", port: UInt16(try await server.port))
            try await body(Center(store: store, authority: authority, address: address, scope: center.scope))
        } catch {
            await group.triggerGracefulShutdown()
            _ = await running.result
            throw error
        }
        await group.triggerGracefulShutdown()
        try await running.value
    }

    private func local(_ store: CenterStore, _ ids: FakeIDS, _ link: CenterClient) -> LocalCenterService {
        var configuration = LocalCenterConfiguration()
        configuration.analysis.requireGoodware = false
        return LocalCenterService(
            configuration: configuration, store: store, installer: ids, link: link, logger: Self.quiet)
    }

    @Test func `the whole chain over the network`() async throws {
        let folder = try TemporaryFolder()
        let (idsA, idsB) = (FakeIDS(), FakeIDS())
        try await withCenter("global", in: folder) { store in
            var configuration = GlobalCenterConfiguration()
            configuration.analysis.requireGoodware = false
            return GlobalCenterService(configuration: configuration, store: store, logger: Self.quiet)
        } _: { global in
            let linkA = try await global.enroll(Identity(role: .localCenter, name: "site-a"), in: folder.path + "/link-a")
            let linkB = try await global.enroll(Identity(role: .localCenter, name: "site-b"), in: folder.path + "/link-b")
            // Both report from 127.0.0.1.
            try await global.store.setTrust(in: Identity(role: .localCenter, name: "site-a"), to: true, by: "test")
            try await withCenter("a", in: folder) {
                local($0, idsA, linkA)
            } _: { siteA in
                try await withCenter("b", in: folder) {
                    local($0, idsB, linkB)
                } _: { siteB in
                    let host = try await siteA.enroll(Fixture.host, in: folder.path + "/host")
                    let receipt = try await host.send(EncodedPacket(Samples.packet()))
                    #expect(receipt.id == Samples.packet().id)
                    try await eventually("the rule is live at site b") { await idsB.rules.count == 1 }
                    try await eventually("its own update came back to site a") {
                        try await siteA.store.subscriptionPosition().sequence == 1
                    }
                    try await eventually("its rule has the number that all sites have") {
                        await idsA.rules.first.map { SIDRange.ofGlobalCenter.contains($0.sid) } == true
                    }
                    let packets = try await siteA.store.snapshot { try $0.newestPacketsWithReporters(of: 1, limit: 9) }
                    #expect(packets.map(\.address?.description) == ["127.0.0.1"], "a report is stored with where it came from")
                    await host.shutdown()
                    #expect(try await siteB.store.subscriptionPosition().sequence == 1)
                }
            }
            let peers = try await global.store.status().peers
            #expect(peers.map(\.reporter) == ["local-center:site-a"] && peers.map(\.networks) == [["127.0.0.0/24"]])
            await linkA.shutdown()
            await linkB.shutdown()
        }
        let window = [Signature.Token(bytes: Samples.callerWindow)]
        let deliveries = await idsA.deliveries.map { $0.map(\.update.signature.tokens) }
        #expect(deliveries.count <= 2 && deliveries.allSatisfy { $0 == [window] }, "once more only for the number that all sites have")
        let numbers = await (idsA.rules + idsB.rules).map(\.sid)
        #expect(Set(numbers).count == 1 && numbers.allSatisfy(SIDRange.ofGlobalCenter.contains), "\(numbers)")
        #expect(await idsB.rules.map(\.update.signature.tokens) == [window])
        #expect(await idsB.rules.map(\.update.origin) == [.global(sequence: 1)])
    }
}
