// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Scheduling
import Synchronization
import TestSupport
import Testing

@testable import CenterServer
@testable import SecureChannel

/// Who has no certificate can make up tokens without end.
@Suite("Enrolments of one machine keep no other's waiting", .timeLimit(.minutes(2)))
struct EnrolmentTurnsTests {
    private static func machine(_ address: String) throws -> IPNetwork {
        IPNetwork.machine(of: try #require(IPAddress(address)))
    }

    /// Who had a turn, in order. Each turn goes on until it is let go.
    private actor Begun {
        private(set) var names: [String] = []
        private var held: CheckedContinuation<Void, Never>?
        private var isOpen = false

        /// The first one waits until it is let go.
        func begin(_ name: String) async {
            names.append(name)
            if names.count == 1, !isOpen { await withCheckedContinuation { held = $0 } }
        }

        func letGo() {
            isOpen = true
            held?.resume()
            held = nil
        }
    }

    private func eventually(_ condition: () async -> Bool) async throws {
        while await !condition() { try await Task.sleep(for: .milliseconds(2)) }
    }

    @Test func `machines take turns however many of one wait`() async throws {
        let (turns, begun) = (EnrolmentTurns(underWay: 1), Begun())
        let (flooder, other) = (try Self.machine("192.0.2.1"), try Self.machine("192.0.2.2"))
        try await withThrowingTaskGroup { group in
            for number in 0..<100 {
                group.addTask { try await turns.run(of: flooder) { await begun.begin("flooder") } }
                try await eventually { await begun.names.count == 1 && turns.waiting == number }
            }
            group.addTask { try await turns.run(of: other) { await begun.begin("other") } }
            try await eventually { turns.waiting == 100 }
            await begun.letGo()
            try await group.waitForAll()
        }
        let names = await begun.names
        #expect(names.count == 101 && names.firstIndex(of: "other") == 2)
        #expect(turns.waiting == 0)
    }

    @Test func `of one machine so many may wait, and there is room for another's`() async throws {
        let (turns, begun) = (EnrolmentTurns(underWay: 1, bounds: FairQueueBounds(rows: 16, bytes: 16)), Begun())
        let (flooder, other) = (try Self.machine("2001:db8::1"), try Self.machine("2001:db8:0:1::1"))
        try await withThrowingTaskGroup { group in
            for number in 0..<3 {
                group.addTask { try await turns.run(of: flooder) { await begun.begin("flooder") } }
                try await eventually { await begun.names.count == 1 && turns.waiting == number }
            }
            // Any of the /64 is the same machine.
            let neighbour = try Self.machine("2001:db8::ffff")
            let refused = await #expect(throws: EpitopeError.self) { try await turns.run(of: neighbour) {} }
            #expect(refused?.code == .senderBusy && refused?.retryAfterSeconds == 5)
            group.addTask { try await turns.run(of: other) { await begun.begin("other") } }
            try await eventually { turns.waiting == 3 }
            await begun.letGo()
            try await group.waitForAll()
        }
        #expect(await begun.names == ["flooder", "flooder", "other", "flooder"])
        // One that fails gives its place back, too.
        await #expect(throws: CancellationError.self) { try await turns.run(of: nil) { throw CancellationError() } }
        try await turns.run(of: nil) {}
    }

    @Test func `who leaves before its turn leaves the queue, and has done nothing`() async throws {
        let (turns, begun) = (EnrolmentTurns(underWay: 1), Begun())
        let (machine, other) = (try Self.machine("192.0.2.1"), try Self.machine("192.0.2.2"))
        func task(_ name: String, of machine: IPNetwork) -> Task<Void, any Error> {
            Task { try await turns.run(of: machine) { await begun.begin(name) } }
        }
        let first = task("first", of: machine)
        try await eventually { await begun.names.count == 1 }
        var left: [Task<Void, any Error>] = []
        for number in 0..<20 { left.append(task("left", of: number % 2 == 0 ? machine : other)) }
        try await eventually { turns.waiting == 20 }
        let stays = task("stays", of: other)
        try await eventually { turns.waiting == 21 }
        for task in left { task.cancel() }
        for task in left { await #expect(throws: CancellationError.self) { try await task.value } }
        #expect(turns.waiting == 1)
        // Nor does one begin that has left before it asks.
        let late = Task {
            try? await Task.sleep(for: .seconds(60))
            try await turns.run(of: machine) { await begun.begin("late") }
        }
        late.cancel()
        await #expect(throws: CancellationError.self) { try await late.value }
        await begun.letGo()
        try await first.value
        try await stays.value
        #expect(await begun.names == ["first", "stays"] && turns.waiting == 0)
        // Every turn was given back.
        try await turns.run(of: nil) {}
    }

    /// An authority's key that is slow.
    private final class SlowIssuer: CertificateIssuing {
        let begun = Mutex(0)
        let authority = Mutex<CertificateAuthority?>(nil)
        let goesOn = Completion<Void>()

        func issue(_ order: CertificateOrder) async throws(EpitopeError) -> String {
            begun.withLock { $0 += 1 }
            await goesOn.value()
            guard let authority = authority.withLock({ $0 }) else { throw ServerErrors.notServedHere }
            return try authority.issue(order)
        }
    }

    /// - Parameter isWaiting: for its turn; else its certificate is being signed.
    @Test(arguments: [true, false]) func `a token is not used up for who left before it could be`(isWaiting: Bool) async throws {
        let issuer = SlowIssuer()
        try await TestCenter.run(issuer: issuer) { center in
            issuer.authority.withLock { $0 = center.authority }
            func request(_ token: String) async throws -> SlowRequest {
                let body = try ChannelJSON.encode(EnrolmentRequest(token: token, request: try KeyWithRequest().requestPEM))
                let request = try await SlowRequest(path: ChannelPath.enroll, body: body, from: nil, to: center)
                try await request.sendAllButTheLastByte()
                return request
            }
            var others: [Task<String, any Error>] = []
            for number in 0..<(isWaiting ? EnrolmentTurns.underWay : 0) {
                let other = try await request(try await center.token(.host, "other-\(number)"))
                others.append(Task { try await other.finish() })
            }
            try await eventually { issuer.begun.withLock { $0 } == others.count }
            let token = try await center.token()
            let leaving = try await request(token)
            let answer = Task { try await leaving.finish() }
            try await eventually { isWaiting ? center.server.peers.enrolling == 1 : issuer.begun.withLock { $0 } == 1 }
            try await leaving.close()
            _ = try? await answer.value
            try await eventually { center.server.peers == (connected: others.count, enrolling: 0) }
            issuer.goesOn.complete(())
            for other in others { #expect(try await other.value.contains("BEGIN CERTIFICATE")) }
            let identity = try await EnrolmentClient.enroll(
                at: CenterList(center.address), token: token, storingIn: "\(center.directory)/host")
            #expect(identity.subject == Identity(role: .host, name: "host-1"))
        }
    }

    @Test func `a connection has a bounded number of refused enrolments, and the next one begins anew`() async throws {
        try await TestCenter.run { center in
            let (token, request) = (try await center.token(), try KeyWithRequest().requestPEM)
            @Sendable func enroll(by token: String, over transport: CenterTransport) async throws -> IssuedCertificate {
                try await transport.postJSON(ChannelPath.enroll, EnrolmentRequest(token: token, request: request))
            }
            let begin = ContinuousClock.now
            let others = try await center.transport(credentials: nil) { transport in
                var codes: [EpitopeError.Code?] = []
                for _ in 0...RequestHandler.maxRefusedEnrolments {
                    // Of the right form, and made up.
                    let unknown = EnrolmentToken(authorityFingerprint: center.authority.fingerprint).description
                    codes.append(await code { try await enroll(by: unknown, over: transport) })
                }
                return codes
            }
            #expect(others.prefix(RequestHandler.maxRefusedEnrolments).allSatisfy { $0 == .tokenUnknown })
            // On a machine that is so busy the connection's own time is over before, and the last one comes over another.
            if ContinuousClock.now - begin < .seconds(10) { #expect(others.last == .senderTooOften) }
            try await center.transport(credentials: nil) { transport in
                _ = try await enroll(by: token, over: transport)
            }
        }
    }
}
