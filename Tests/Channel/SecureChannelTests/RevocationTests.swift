// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import PacketCoding
import Signatures
import TestSupport
import Testing

@testable import SecureChannel

/// Who is revoked while a request of its is open has nothing of it.
@Suite(.timeLimit(.minutes(2)))
struct RevocationTests {
    @Test(arguments: [ChannelPath.packets, ChannelPath.offers, ChannelPath.withheld, ChannelPath.forwards, ChannelPath.updates])
    func `A message whose sender is revoked before its last byte has come is refused`(path: String) async throws {
        let isOfSite = path == ChannelPath.forwards || path == ChannelPath.updates
        let update = CenterClientTests.update()
        var large = Samples.packet()
        // As large as what is offered.
        let code = Samples.code.bytes + [UInt8](repeating: 0x90, count: 256)
        large.content = .code(ExtractedCode(base: Samples.code.base, bytes: code, isWholeRegion: true))
        let offer = try #require(CodeOffer(EncodedPacket(large)))
        let body =
            switch path {
            case ChannelPath.withheld: try ChannelJSON.encode(WithheldCounts(day: 20_000, suppressed: 3))
            case ChannelPath.offers: offer.frame
            case ChannelPath.forwards:
                ForwardedPacket(packet: Samples.packet(), reporter: "host-1", signature: update.signature).encoded()
            case ChannelPath.updates: update.encoded()
            default: Samples.packet().encoded()
            }
        try await TestCenter.run { center in
            await center.service.hold(code)
            let identity = try center.identity(isOfSite ? .localCenter : .host)
            let request = try await SlowRequest(
                path: path == ChannelPath.offers ? offer.path : path, body: body, from: identity, to: center)
            try await request.sendAllButTheLastByte()
            // The center has read the head, and let the sender in.
            while await center.ledger.checks == 0 { try await Task.sleep(for: .milliseconds(5)) }
            await center.ledger.revoke(identity.subject, nowMilliseconds: center.clock.now())
            let answer = try await request.finish()
            #expect(answer.contains(" 403 ") && answer.contains("revoked"), "\(answer)")
            #expect(await center.service.packets.isEmpty)
            #expect(await center.service.counts.isEmpty)
            #expect(await center.service.forwards.isEmpty)
            #expect(await center.service.published.isEmpty)
        }
    }

    @Test
    func `Who is revoked while its renewal trickles in, or is signed, gets no certificate`() async throws {
        let body = try ChannelJSON.encode(RenewalRequest(request: try KeyWithRequest().requestPEM))
        try await TestCenter.run { center in
            let identity = try center.identity()
            let request = try await SlowRequest(path: ChannelPath.renew, body: body, from: identity, to: center)
            try await request.sendAllButTheLastByte()
            // By now the center has the head of that, too.
            try await center.client(try center.identity(.host, "host-2")) { _ = try await $0.warmUp() }
            await center.ledger.revoke(identity.subject, nowMilliseconds: center.clock.now())
            let answer = try await request.finish()
            #expect(answer.contains(" 403 ") && answer.contains("revoked") && !answer.contains("BEGIN CERTIFICATE"), "\(answer)")

            let other = try center.identity(.host, "host-3")
            await center.ledger.beforeRenewal { await $0.revoke(other.subject, nowMilliseconds: center.clock.now()) }
            let signed = try await SlowRequest(path: ChannelPath.renew, body: body, from: other, to: center)
            try await signed.sendAllButTheLastByte()
            let second = try await signed.finish()
            #expect(second.contains(" 403 ") && second.contains("revoked") && !second.contains("BEGIN CERTIFICATE"), "\(second)")
            #expect(await center.ledger.renewals.isEmpty)
        }
    }

    @Test
    func `A subscriber that is revoked while it waits gets no update`() async throws {
        try await TestCenter.run { center in
            let site = try center.identity(.localCenter, "site-2")
            try await center.client(site) { client in
                let waiting = Task { try await client.updates(after: FeedPosition(sequence: 0), waitSeconds: 60) }
                while await center.service.waitingSubscribers == 0 { try await Task.sleep(for: .milliseconds(5)) }
                await center.ledger.revoke(site.subject, nowMilliseconds: center.clock.now())
                await center.service.publish(FeedEntry(sequence: 1, update: CenterClientTests.update()))
                let error = await #expect(throws: EpitopeError.self) { try await waiting.value }
                #expect(error?.code == .revoked)
            }
        }
    }
}
