// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import NIOCore
import Synchronization

/// `center-load packets`: packets of some hosts for some seconds, each connection one at a time, as fast as the center
/// acknowledges them or at a rate.
struct PacketsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "packets", abstract: "Sends packets for some seconds.")

    @OptionGroup var options: CenterOptions
    @Option(help: "How long, in seconds.") var seconds = 10.0
    @Option(help: "Connections at a time.") var connections = 64
    @Option(help: "Hosts, which the connections are in turn of.") var hosts = 64
    @Option(help: "Bytes of code a packet.") var codeBytes = 8000
    @Option(help: "How many different codes; 0: each packet has its own.") var codes = 0
    @Option(help: "Packets at most; 0: as many as there is time for.") var count = 0
    @Option(help: "Packets a second at most, over all connections; 0: as many as can be.") var rate = 0.0
    @Option(help: "Sends a packet again, with its id, until it is acknowledged: as a host's spool does.") var retry = 0
    @Option(help: "A number that ids and codes are drawn from.") var run: UInt64 = 1
    @Option(help: "A number that codes are drawn from; 0: that of the ids.") var codeRun: UInt64 = 0
    @Option(help: "The prefix of the hosts' names.") var prefix = "load"
    @Option(help: "A file for the ids of acknowledged packets.") var journal: String?
    @Option(help: "A file that ends the load as soon as it is there.") var stop: String?

    func run() async throws {
        raiseFileLimit()
        let identities = try await HostIdentities(count: hosts, prefix: prefix, authorityIn: options.state)
        let contexts = try (0..<hosts).map { try identities.tls(of: $0) }
        let tally = Tally(journal: journal)
        let source = PacketSource(
            template: PacketTemplate(codeBytes: codeBytes), run: self.run, codeRun: codeRun == 0 ? self.run : codeRun, codes: codes,
            count: count, rate: rate, until: ContinuousClock.now + .seconds(seconds), stop: stop)
        let targets = options.targets!
        let network = Connections(to: targets, hosts: hosts, prefix: prefix)
        let again = retry > 0
        tally.begin()
        await Connections.inParallel(connections) { number in
            let pending = PendingPacket()
            var attempt = 0
            while source.isOpen || (again && pending.isWaiting && source.mayRetry) {
                do {
                    try await network.run(
                        {
                            SteadyScript(source: source, tally: tally, pending: pending, retries: again, movesOn: targets.count > 1)
                        },
                        tls: contexts[number % contexts.count], number: number, attempt: attempt)
                } catch {
                    tally.failed("\(error)")
                }
                attempt += 1
                try? await Task.sleep(for: .milliseconds(200))
            }
        }
        try Tally.printLine(tally.summary())
    }
}

/// The packet of a connection that was not acknowledged yet.
final class PendingPacket: Sendable {
    private let state = Mutex<(number: UInt64, since: ContinuousClock.Instant)?>(nil)

    var number: UInt64? { state.withLock { $0?.number } }
    var isWaiting: Bool { number != nil }

    /// - Parameter time: when it is sent for the first time.
    func begin(_ number: UInt64, at time: ContinuousClock.Instant) { state.withLock { $0 = (number, time) } }

    /// - Returns: how long it has waited, over all attempts.
    func end() -> Duration? {
        state.withLock { state in
            defer { state = nil }
            return state.map { .now - $0.since }
        }
    }
}

/// Gives out packets by number, until a time and at a rate.
final class PacketSource: Sendable {
    private let template: PacketTemplate
    private let run: UInt64
    private let codeRun: UInt64
    private let codes: Int
    private let count: Int
    private let rate: Double
    private let start = ContinuousClock.now
    private let end: Mutex<ContinuousClock.Instant>
    private let stop: String?
    private let next = Mutex<UInt64>(0)
    /// How long after the end packets are sent again that were not acknowledged.
    private static let grace = Duration.seconds(30)

    /// - Parameter stop: a file that ends the load when it is there.
    init(
        template: PacketTemplate, run: UInt64, codeRun: UInt64, codes: Int, count: Int, rate: Double, until: ContinuousClock.Instant,
        stop: String? = nil
    ) {
        self.template = template
        self.run = run
        self.codeRun = codeRun
        self.codes = codes
        self.count = count
        self.rate = rate
        end = Mutex(until)
        self.stop = stop
    }

    var isOpen: Bool { .now < until && (count == 0 || next.withLock { $0 } < UInt64(count)) }
    var mayRetry: Bool { .now < until + Self.grace }

    /// When the load ends, or ended.
    private var until: ContinuousClock.Instant {
        end.withLock { end in
            if let stop, end > .now, access(stop, F_OK) == 0 { end = .now }
            return end
        }
    }

    /// The next number, and how long to wait with it.
    func take() -> (number: UInt64, wait: Duration)? {
        guard .now < until else { return nil }
        let number: UInt64? = next.withLock { next in
            guard count == 0 || next < UInt64(count) else { return nil }
            defer { next += 1 }
            return next
        }
        guard let number else { return nil }
        guard rate > 0 else { return (number, .zero) }
        return (number, max(.zero, start + .seconds(Double(number) / rate) - .now))
    }

    func id(_ number: UInt64) -> [UInt8] { PacketTemplate.id(run: run, number: number) }

    func request(_ number: UInt64, allocator: ByteBufferAllocator) -> ByteBuffer {
        let code = codeRun &* 1_000_003 &+ (codes == 0 ? number : number % UInt64(codes))
        return template.request(id: id(number), code: code, allocator: allocator)
    }
}

/// One packet after the other.
final class SteadyScript: ConnectionScript {
    private let source: PacketSource
    private let tally: Tally
    private let pending: PendingPacket
    private let retries: Bool
    private let movesOn: Bool
    private var isToMoveOn = false
    private var number: UInt64?
    /// Between two attempts at one packet on one connection.
    private static let pause = Duration.milliseconds(100)

    /// - Parameter movesOn: whether the connection ends when the center can't take a packet now, so that the next one takes it.
    init(source: PacketSource, tally: Tally, pending: PendingPacket, retries: Bool, movesOn: Bool) {
        self.movesOn = movesOn
        self.source = source
        self.tally = tally
        self.pending = pending
        self.retries = retries
    }

    private(set) var wait = Duration.zero

    func next(allocator: ByteBufferAllocator) -> ByteBuffer? {
        guard !isToMoveOn else { return nil }
        if retries, let waiting = pending.number {
            (number, wait) = (waiting, number == waiting ? Self.pause : .zero)
        } else {
            guard let (taken, wait) = source.take() else { return nil }
            (number, self.wait) = (taken, wait)
            if retries { pending.begin(taken, at: .now + wait) }
        }
        return number.map { source.request($0, allocator: allocator) }
    }

    func answered(_ answer: Answer, after duration: Duration) {
        tally.answered(answer, id: number.map(source.id), after: duration)
        if retries, answer.status == 200 { tally.waited(pending.end()) }
        isToMoveOn = movesOn && answer.isToldToWait
    }

    func failed(_ reason: String) { tally.failed(reason) }
}
