// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Glibc
import NIOCore
import NIOPosix
import Synchronization
import TestSupport
import Testing

@testable import CenterServer
@testable import SecureChannel

/// Connections that say nothing, or no longer anything, keep nobody out.
@Suite(.timeLimit(.minutes(2)))
struct ConnectionPlacesTests {
    private static let peer = PeerCertificate(
        identity: Identity(role: .host, name: "host-1"), issuedMilliseconds: 0, beginsMilliseconds: 0, expiresMilliseconds: .max)

    /// A connection that says nothing.
    private static func silent(_ center: TestCenter) async throws -> any Channel {
        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: Int(center.address.port)).get()
    }

    @Test
    func `Silent connections give way to newer ones, and a host is let in beside any number of them`() async throws {
        try await TestCenter.run(maxConnections: 16) { center in
            var silent: [any Channel] = []
            for _ in 0..<200 { silent.append(try await Self.silent(center)) }
            try await center.client { client in
                let receipt = try await client.send(Samples.packet())
                #expect(!receipt.wasKnown)
            }
            for channel in silent { try? await channel.close() }
        }
    }

    @Test
    func `Of hosts beyond the limit the one that was idle for the longest goes, and gets in again when it has something to say`()
        async throws
    {
        try await TestCenter.run(maxConnections: 8) { center in
            var clients: [CenterClient] = []
            for number in 0..<24 {
                let client = try CenterClient(try center.identity(.host, "host-\(number)"))
                clients.append(client)
                try await client.warmUp()
            }
            for client in clients { try await client.warmUp() }
            for client in clients { await client.shutdown() }
        }
    }

    @Test
    func `Hosts beyond three quarters of the places are let go, told when to come again, and let in when they have something to say`()
        async throws
    {
        try await TestCenter.run(maxConnections: 16) { center in
            var clients: [CenterClient] = []
            var advice: [KeepAliveAdvice] = []
            for number in 0..<20 {
                let client = try CenterClient(try center.identity(.host, "host-\(number)"))
                clients.append(client)
                advice.append(try await client.warmUp().advice)
            }
            #expect(advice.prefix(4).allSatisfy { $0 == KeepAliveAdvice(keepOpen: true, againSeconds: 30) })
            #expect(advice[4..<12].allSatisfy { $0 == KeepAliveAdvice(keepOpen: true, againSeconds: 90) })
            #expect(advice[12...].allSatisfy { $0 == KeepAliveAdvice(keepOpen: false, againSeconds: 900) })
            for client in clients.reversed() { try await client.report(WithheldCounts(day: 20_000, suppressed: 1)) }
            for client in clients { await client.shutdown() }
        }
    }

    @Test(arguments: [0.0, 0.5, 1.0]) func `When a host asks again follows the center's word, within bounds`(spread: Double) {
        func delay(_ keepOpen: Bool, _ seconds: Int) -> Duration {
            KeepAliveAdvice(keepOpen: keepOpen, againSeconds: seconds).delay(spread: spread)
        }
        #expect(delay(true, 30) == .seconds(30))
        #expect(delay(true, 100_000) == .seconds(90), "an open connection is given up as idle otherwise")
        #expect(delay(true, -5) == .seconds(1))
        #expect(delay(false, 900) == .seconds(900 * (1 + spread / 2)))
        #expect(delay(false, .max) == .seconds(3600 * (1 + spread / 2)))
        #expect(KeepAliveAdvice.unknown.delay(spread: spread) == .seconds(30))
    }

    @Test
    func `A connection with a request under way keeps its place`() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let server = try await ServerBootstrap(group: group).bind(host: "127.0.0.1", port: 0).get()
        let address = try #require(server.localAddress)
        func channel() async throws -> any Channel { try await ClientBootstrap(group: group).connect(to: address).get() }
        let places = ConnectionPlaces(max: 4)
        let busy = try await channel()
        places.opened(busy)
        places.identified(busy, as: Self.peer)
        places.requestBegan(busy)
        var idle: [any Channel] = []
        for _ in 0..<8 {
            let next = try await channel()
            places.opened(next)
            places.identified(next, as: Self.peer)
            idle.append(next)
        }
        for channel in idle.prefix(5) { try await channel.closeFuture.get() }
        #expect(busy.isActive && idle.suffix(3).allSatisfy(\.isActive))
        for _ in 0..<1000 where places.count > 4 { try await Task.sleep(for: .milliseconds(5)) }
        #expect(places.count == 4)
        for channel in idle.suffix(3) + [busy] { try await channel.close() }
        try await server.close()
    }

    /// The place of an identified peer that has a request under way, and what the peer listens on.
    ///
    /// - Parameter isReading: whether the peer takes what it is sent.
    private func asking(reading isReading: Bool) async throws -> (places: ConnectionPlaces, channel: any Channel, peer: any Channel) {
        let group = MultiThreadedEventLoopGroup.singleton
        let peer = try await ServerBootstrap(group: group).childChannelOption(.autoRead, value: isReading)
            .bind(host: "127.0.0.1", port: 0).get()
        let channel = try await ClientBootstrap(group: group).connect(to: try #require(peer.localAddress)).get()
        let places = ConnectionPlaces(max: 4)
        places.opened(channel)
        places.identified(channel, as: Self.peer)
        places.requestBegan(channel)
        return (places, channel, peer)
    }

    @Test(arguments: [false, true])
    func `Who doesn't take a long answer within its time is let go, and who takes it stays`(isTaken: Bool) async throws {
        let (places, channel, peer) = try await asking(reading: isTaken)
        // More than the kernel keeps.
        let answer = channel.eventLoop.makePromise(of: Void.self)
        channel.writeAndFlush(ByteBuffer(repeating: 0, count: 32 << 20), promise: answer)
        if isTaken { try await answer.futureResult.get() }
        places.closeUnlessTaken(channel, within: .milliseconds(50))
        places.requestEnded(channel)
        if isTaken {
            // After the look.
            try await channel.eventLoop.scheduleTask(in: .milliseconds(60)) {}.futureResult.get()
            #expect(channel.isActive)
            try await channel.close()
        } else {
            try await channel.closeFuture.get()
        }
        try await peer.close()
    }

    @Test
    func `Who has asked again since has taken the answer`() async throws {
        let (places, channel, peer) = try await asking(reading: false)
        places.closeUnlessTaken(channel, within: .milliseconds(50))
        places.requestEnded(channel)
        places.requestBegan(channel)
        channel.writeAndFlush(ByteBuffer(repeating: 0, count: 32 << 20), promise: nil)
        try await channel.eventLoop.scheduleTask(in: .milliseconds(60)) {}.futureResult.get()
        #expect(channel.isActive && !channel.isWritable)
        try await channel.close()
        try await peer.close()
    }

    /// With one certificate an intruder can have any number of requests under way, each of which trickles in.
    @Test
    func `One identity has few places, whatever its connections are busy with, and keeps no other out`() async throws {
        try await TestCenter.run(maxConnections: 64) { center in
            let intruder = try center.identity(.host, "intruder")
            var requests: [SlowRequest] = []
            for number in 1...80 {
                let request = try await SlowRequest(path: ChannelPath.packets, body: [1, 2, 3], from: intruder, to: center)
                try await request.sendAllButTheLastByte()
                requests.append(request)
                // It is known whose it is.
                while await center.ledger.checks < number { try await Task.sleep(for: .milliseconds(5)) }
            }
            try await center.client { client in
                let receipt = try await client.send(Samples.packet())
                #expect(!receipt.wasKnown)
            }
            for request in requests.prefix(72) { try await request.closed() }
            #expect(requests.suffix(8).allSatisfy { $0.isOpen })
            for request in requests.suffix(8) { try? await request.close() }
        }
    }

    @Test
    func `Silent connections of one machine give way to each other, and not those of another`() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        try await TestCenter.run(maxConnections: 128) { center in
            func silent(from address: String) async throws -> any Channel {
                try await ClientBootstrap(group: group).bind(to: SocketAddress(ipAddress: address, port: 0))
                    .connect(host: "127.0.0.1", port: Int(center.address.port)).get()
            }
            let begin = ContinuousClock.now
            // How long each of the first machine's was open: on a busy machine until its own time was over.
            let opened = Mutex<[Duration]>([])
            var (first, second): ([any Channel], [any Channel]) = ([], [])
            for _ in 0..<4 { first.append(try await silent(from: "127.0.0.2")) }
            for channel in first { channel.closeFuture.whenComplete { _ in opened.withLock { $0.append(.now - begin) } } }
            for _ in 0..<40 { second.append(try await silent(from: "127.0.0.3")) }
            for channel in second.prefix(36) { try await channel.closeFuture.get() }
            let lasted = opened.withLock(\.self)
            #expect(lasted.allSatisfy { $0 > .seconds(10) }, "\(lasted)")
            if ContinuousClock.now - begin < .seconds(10) {
                #expect(first.allSatisfy { $0.isActive } && second.suffix(4).allSatisfy { $0.isActive })
            }
            for channel in first + second.suffix(4) { try? await channel.close() }
        }
    }

    /// An enrolment that trickles in, without a certificate, and a packet with one.
    @Test
    func `A request that doesn't come in within its time is closed`() async throws {
        try await TestCenter.run { center in
            let enrolment = try await SlowRequest(path: ChannelPath.enroll, body: [1, 2, 3], from: nil, to: center)
            let packet = try await SlowRequest(path: ChannelPath.packets, body: [1, 2, 3], from: try center.identity(), to: center)
            try await enrolment.sendAllButTheLastByte()
            try await packet.sendAllButTheLastByte()
            try await enrolment.closed()
            #expect(packet.isOpen, "who is known has longer")
            try await packet.closed()
            #expect(await center.service.packets.isEmpty)
        }
    }

    @Test
    func `The order of use is kept within bounds`() {
        final class Object {}
        let objects = (0..<50).map { _ in Object() }
        var (order, turns): (UseOrder, [ObjectIdentifier: UInt64]) = (UseOrder(), [:])
        for turn in 1...10_000 as ClosedRange<UInt64> {
            let id = ObjectIdentifier(objects[Int(turn * turn % 47)])
            turns[id] = turn
            order.add(id, turn) { turns[$0] == $1 }
        }
        var taken: [UInt64] = []
        while let id = order.takeFirst(where: { turns[$0] == $1 }) {
            taken.append(turns[id] ?? 0)
            turns[id] = nil
        }
        #expect(turns.isEmpty && taken == taken.sorted() && taken.count == 24)
    }

    @Test
    func `Verified certificates that are of use stay, and the others are forgotten`() throws {
        let peer = PeerCertificate(
            identity: Identity(role: .host, name: "a"), issuedMilliseconds: 0, beginsMilliseconds: 0, expiresMilliseconds: 1)
        var verified = VerifiedCertificates(max: 4)
        for number in 0..<100 as Range<UInt8> {
            verified.add(peer, [number])
            #expect(verified.find([0]) == peer, "of use again and again")
            #expect(verified.count <= 9)
        }
        #expect(verified.find([1]) == nil && verified.find([99]) == peer)
    }
}
