// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import NIOCore
import Synchronization

/// `center-load outbreak`: one code, reported by very many hosts. Each host has its own certificate, opens its own connection,
/// sends its packets on it and closes it; so many connections at a time. No host's handshake is saved.
struct OutbreakCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "outbreak", abstract: "Sends one code from many hosts.")

    @OptionGroup var options: CenterOptions
    @Option(help: "Hosts.") var hosts = 50_000
    @Option(help: "Packets of each.") var packets = 3
    @Option(help: "Connections at a time.") var connections = 256
    @Option(help: "When to stop, in seconds.") var seconds = 120.0
    @Option(help: "Bytes of code.") var codeBytes = 8000
    @Option(help: "A number that ids and the code are drawn from.") var run: UInt64 = 2
    @Option(help: "A file for the ids of acknowledged packets.") var journal: String?

    func run() async throws {
        raiseFileLimit()
        let identities = try await HostIdentities(count: hosts, prefix: "outbreak", authorityIn: options.state)
        let tally = Tally(journal: journal)
        let template = PacketTemplate(codeBytes: codeBytes)
        let network = Connections(to: [options.target!], hosts: hosts, prefix: "outbreak")
        let nextHost = Atomic(0)
        let done = Atomic(0)
        let start = ContinuousClock.now
        let until = start + .seconds(seconds)
        let (hosts, packets, run) = (hosts, packets, self.run)
        // Not by print, which would keep it until the end.
        _ = write(STDOUT_FILENO, "started\n", 8)
        tally.begin()
        await Connections.inParallel(connections) { _ in
            while ContinuousClock.now < until {
                let host = nextHost.add(1, ordering: .relaxed).oldValue
                guard host < hosts else { return }
                let left = PacketsLeft(packets)
                do {
                    let tls = try identities.tls(of: host)
                    while left.any, ContinuousClock.now < until {
                        try await network.run(
                            { OutbreakScript(host: host, packets: packets, run: run, template: template, tally: tally, left: left) },
                            tls: tls, number: host)
                        if left.any { try await Task.sleep(for: .milliseconds(500)) }
                    }
                } catch {
                    tally.failed("\(error)")
                }
                if !left.any { done.add(1, ordering: .relaxed) }
            }
        }
        var summary = tally.summary()
        summary["hosts_done"] = done.load(ordering: .relaxed)
        summary["hosts_begun"] = min(hosts, nextHost.load(ordering: .relaxed))
        try Tally.printLine(summary)
    }
}

/// How many packets of a host are still to be acknowledged; the next is the one with that number.
final class PacketsLeft: Sendable {
    private let count: Mutex<Int>

    init(_ count: Int) { self.count = Mutex(count) }

    var any: Bool { number > 0 }
    var number: Int { count.withLock { $0 } }
    func acknowledged() { count.withLock { $0 -= 1 } }
}

/// A host of an outbreak: its packets one after the other. One that it is told to send later ends the connection; the host
/// comes back.
final class OutbreakScript: ConnectionScript {
    private let host: Int
    private let packets: Int
    private let run: UInt64
    private let template: PacketTemplate
    private let tally: Tally
    private let left: PacketsLeft
    private var isWaiting = false

    init(host: Int, packets: Int, run: UInt64, template: PacketTemplate, tally: Tally, left: PacketsLeft) {
        self.host = host
        self.packets = packets
        self.run = run
        self.template = template
        self.tally = tally
        self.left = left
    }

    private var id: [UInt8] {
        PacketTemplate.id(run: run, number: UInt64(host) * UInt64(packets) + UInt64(left.number))
    }

    func next(allocator: ByteBufferAllocator) -> ByteBuffer? {
        guard left.any, !isWaiting else { return nil }
        return template.request(id: id, code: run, allocator: allocator)
    }

    func answered(_ answer: Answer, after duration: Duration) {
        tally.answered(answer, id: id, after: duration)
        if answer.status == 200 { left.acknowledged() } else { isWaiting = true }
    }

    func failed(_ reason: String) { tally.failed(reason) }
}
