// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import NIOCore
import NIOSSL
import Synchronization

/// `center-load connect`: hosts that connect, ask for the center's health and stay, if the center wants that; else they have been seen, and
/// would come again. Ends some seconds after all were seen, when none got in for some seconds, or at its time.
struct ConnectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "connect", abstract: "Connects many hosts at once.")

    @OptionGroup var options: CenterOptions
    @Option(help: "Hosts.") var hosts = 50_000
    @Option(help: "When to stop, in seconds.") var seconds = 120.0
    @Option(help: "For how many seconds nobody may get in before it is taken for full.") var patience = 8.0
    @Option(help: "How many connect at a time.") var atATime = 64
    @Option(help: "How long they stay once all are there, in seconds.") var stay = 0.0

    func run() async throws {
        raiseFileLimit()
        let identities = try await HostIdentities(count: hosts, prefix: "connect", authorityIn: options.state)
        let network = Connections(to: options.target!, sourceAddresses: 16)
        let crowd = Crowd()
        let until = ContinuousClock.now + .seconds(seconds)
        let next = Atomic(0)
        let (hosts, patience) = (hosts, Duration.seconds(patience))
        let connecting = Task {
            await Connections.inParallel(atATime) { _ in
                while ContinuousClock.now < until, !Task.isCancelled {
                    let host = next.add(1, ordering: .relaxed).oldValue
                    guard host < hosts, let tls = try? identities.tls(of: host) else { return }
                    let entered = Entered()
                    _ = try? await network.open({ StayScript(crowd: crowd, entered: entered) }, tls: tls, number: host)
                    // The next one when this one has its answer.
                    while !entered.isOver, !Task.isCancelled { try? await Task.sleep(for: .milliseconds(5)) }
                }
            }
        }
        while ContinuousClock.now < until, crowd.seen < hosts, ContinuousClock.now - crowd.changed < patience {
            try await Task.sleep(for: .milliseconds(200))
        }
        connecting.cancel()
        let seen = crowd.seen
        // They stay for a while, and ask as often as the center told them to.
        try await Task.sleep(for: .seconds(stay))
        try Tally.printLine([
            "connected": crowd.mostConnected, "polling": crowd.polling, "seen": seen, "lost": crowd.mostConnected - crowd.connected,
        ])
        // What is still open ends with this process.
    }
}

/// Whether a host got its answer, or won't.
final class Entered: Sendable {
    private let over = Atomic(false)
    var isOver: Bool { over.load(ordering: .relaxed) }
    func end() { over.store(true, ordering: .relaxed) }
}

/// How many hosts are connected.
final class Crowd: Sendable {
    private let state = Mutex((connected: 0, most: 0, polling: 0, seen: 0, changed: ContinuousClock.now))

    /// Those that were let in.
    var seen: Int { state.withLock { $0.seen } }
    /// Those that were told to come again.
    var polling: Int { state.withLock { $0.polling } }
    var connected: Int { state.withLock { $0.connected } }
    var mostConnected: Int { state.withLock { $0.most } }
    var changed: ContinuousClock.Instant { state.withLock { $0.changed } }

    func entered() {
        state.withLock { state in
            state.connected += 1
            state.seen += 1
            state.most = max(state.most, state.connected)
            state.changed = .now
        }
    }

    func left() { state.withLock { $0.connected -= 1 } }

    /// - Parameter isNew: it was let in for the first time.
    func sentAway(isNew: Bool) {
        state.withLock { state in
            state.polling += 1
            state.seen += isNew ? 1 : 0
            state.changed = .now
        }
    }
}

/// Asks for the center's health, and stays if it is told to: then it asks again when it is told to.
final class StayScript: ConnectionScript {
    private let crowd: Crowd
    private let entered: Entered
    private var isIn = false
    private var isSentAway = false
    private var again = Duration.zero

    init(crowd: Crowd, entered: Entered) {
        self.crowd = crowd
        self.entered = entered
    }

    var wait: Duration { again }

    func next(allocator: ByteBufferAllocator) -> ByteBuffer? {
        isSentAway ? nil : allocator.buffer(bytes: HTTPRequest.head(method: "GET", path: "/v1/health", length: 0))
    }

    func answered(_ answer: Answer, after duration: Duration) {
        entered.end()
        guard answer.status == 200, let told = try? JSONDecoder().decode(Told.self, from: Data(answer.body)).keepAlive else { return }
        again = .seconds(told.againSeconds)
        guard told.keepOpen else {
            isSentAway = true
            if isIn { crowd.left() }
            crowd.sentAway(isNew: !isIn)
            return isIn = false
        }
        guard !isIn else { return }
        isIn = true
        crowd.entered()
    }

    private struct Told: Decodable {
        struct KeepAlive: Decodable {
            var keepOpen: Bool
            var againSeconds: Int
        }

        var keepAlive: KeepAlive
    }

    func failed(_ reason: String) {
        entered.end()
        if isIn { crowd.left() }
    }
}
