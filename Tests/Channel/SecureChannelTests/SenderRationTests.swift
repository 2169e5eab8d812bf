// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import PacketCoding
import Signatures
import Synchronization
import TestSupport
import Testing

@testable import CenterServer
@testable import SecureChannel

struct SenderRationTests {
    private static let hour = Duration.hours(1).inMilliseconds
    private let one = Identity(role: .host, name: "host-1")

    @Test
    func `A sender has so many at once, then one in each interval, and others have their own`() {
        var ration = SenderRation(burst: 2, each: .hours(1))
        #expect(ration.take(one, nowMilliseconds: 0) == nil)
        #expect(ration.take(one, nowMilliseconds: 0) == nil)
        #expect(ration.take(one, nowMilliseconds: 0) == Self.hour)
        #expect(ration.take(one, nowMilliseconds: Self.hour - 1) == 1)
        #expect(ration.take(Identity(role: .localCenter, name: "host-1"), nowMilliseconds: 0) == nil)
        #expect(ration.take(one, nowMilliseconds: Self.hour) == nil)
        #expect(ration.take(one, nowMilliseconds: Self.hour) == Self.hour)
        for _ in 0..<2 { #expect(ration.take(one, nowMilliseconds: 100 * Self.hour) == nil) }
        #expect(ration.take(one, nowMilliseconds: 100 * Self.hour) != nil)
    }

    @Test
    func `What came to nothing is given back, and a clock that is set back silences nobody`() {
        var ration = SenderRation(burst: 1, each: .hours(1))
        #expect(ration.take(one, nowMilliseconds: 0) == nil)
        ration.giveBack(one, nowMilliseconds: 0)
        #expect(ration.take(one, nowMilliseconds: 0) == nil)
        #expect(ration.take(one, nowMilliseconds: 0) == Self.hour)
        #expect(ration.take(one, nowMilliseconds: -1000 * Self.hour) == nil)
        #expect(ration.take(one, nowMilliseconds: -1000 * Self.hour) == Self.hour)
    }

    @Test
    func `However many senders come, those of whom nothing need be known are forgotten`() {
        var ration = SenderRation(burst: 1, each: .seconds(10), max: 100)
        for number in 0..<10_000 {
            let sender = Identity(role: .host, name: "host-\(number)")
            #expect(ration.take(sender, nowMilliseconds: Int64(number) * 1000) == nil)
            // The ten before it are known yet.
            #expect(ration.take(sender, nowMilliseconds: Int64(number) * 1000) != nil)
            #expect(ration.count <= 200)
        }
    }

    @Test
    func `Who renews again and again is refused until an hour is over, and only that`() async throws {
        try await TestCenter.run { center in
            let directory = center.directory
            try await center.client { client in
                for _ in 0..<2 { try await client.renew(storingIn: directory) }
                let error = await #expect(throws: EpitopeError.self) { try await client.renew(storingIn: directory) }
                #expect(error?.code == .senderTooOften)
                #expect((3500...3600).contains(error?.retryAfterSeconds ?? 0))
                #expect(await center.ledger.renewals.count == 2)
                _ = try await client.send(Samples.packet())
                center.clock.advance(by: .hours(1))
                try await client.renew(storingIn: directory)
            }
            let other = try center.identity(.host, "host-2")
            _ = try await center.client(other) { try await $0.renew(storingIn: "\(directory)/other") }
            #expect(await center.ledger.renewals.count == 4)
        }
    }

    @Test
    func `Who tells without end what it withheld is heard a few times, and then every ten minutes`() async throws {
        try await TestCenter.run { center in
            try await center.client { client in
                for number in 1...6 { try await client.report(WithheldCounts(day: 20_000, suppressed: number)) }
                #expect(await code { try await client.report(WithheldCounts(day: 20_000, suppressed: 7)) } == .senderTooOften)
                #expect(await center.service.counts.count == 6)
                center.clock.advance(by: .seconds(600))
                try await client.report(WithheldCounts(day: 20_000, suppressed: 8))
                #expect(await center.service.counts.last?.suppressed == 8)
            }
        }
    }

    @Test
    func `A renewal that failed by the center's fault costs the host nothing`() async throws {
        let issuer = AbsentIssuer()
        try await TestCenter.run(issuer: issuer) { center in
            try await center.client { client in
                for _ in 0..<5 { #expect(await code { try await client.renew(storingIn: center.directory) } == .internalFailure) }
                issuer.standIn.withLock { $0 = center.authority }
                try await client.renew(storingIn: center.directory)
            }
        }
    }
}
