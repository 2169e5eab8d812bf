// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterStore
import Correlation
import EpitopeModel
import PacketCoding
import Signatures

/// `center-load seed`: fills the store of a center that does not run with packets that were analysed, as if they had come in
/// today. Through the store's own interface, and without the analysis, which may take hours for as many.
struct SeedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "seed", abstract: "Fills a store.")

    @Option(help: "The center's state folder.") var state: String
    @Option(help: "Packets.") var packets = 200_000
    @Option(help: "Clusters, which the packets belong to in turn.") var clusters = 50_000
    @Option(help: "Hosts, which report in turn.") var hosts = 10_000
    @Option(help: "Bytes of code a packet.") var codeBytes = 512
    @Option(help: "Rows of evidence that the first cluster has beside: of so many hosts.") var evidence = 0

    /// Packets a transaction.
    private static let groupSize = 1000

    func run() async throws {
        let store = try CenterStore(path: "\(state)/center.sqlite")
        let template = PacketTemplate(codeBytes: codeBytes)
        var known: [String: Cluster] = [:]
        var first: Cluster?
        for begin in stride(from: 0, to: packets, by: Self.groupSize) {
            let numbers = begin..<min(begin + Self.groupSize, packets)
            try await add(numbers, from: template, to: store)
            let before = known
            let made = try await store.transaction { transaction in
                var known = before
                for report in try transaction.waitingReports(limit: Self.groupSize) {
                    guard case .packet(let packet, _)? = try? report.content.get(), case .code(let code) = packet.content else { continue }
                    let signature = Self.signature(of: code)
                    let cluster = try known[signature.id] ?? transaction.addCluster(of: signature)
                    known[signature.id] = cluster
                    let kind = EvidenceKind.directCall.rawValue
                    _ = try transaction.add(
                        [
                            WeighedEvidence(
                                reporter: report.reporter, kind: kind, points: 100, timeMilliseconds: report.receivedMilliseconds)
                        ], to: .cluster(cluster.id), by: AttackThreshold())
                    try transaction.markAnalysed(report, in: cluster.id, kinds: [kind])
                }
                return known
            }
            known = made
            first = first ?? made.values.first
        }
        if let first, evidence > 0 {
            let count = evidence
            try await store.transaction { transaction in
                let now = transaction.nowMilliseconds
                _ = try transaction.add(
                    (0..<count).map {
                        WeighedEvidence(
                            reporter: "host:wide-\($0)", kind: EvidenceKind.directCall.rawValue, points: 100, timeMilliseconds: now)
                    }, to: .cluster(first.id), by: AttackThreshold())
            }
        }
        try Tally.printLine(["packets": packets, "clusters": known.count])
    }

    /// Stores packets as a center does that acknowledges them.
    private func add(_ numbers: Range<Int>, from template: PacketTemplate, to store: CenterStore) async throws {
        let (hosts, clusters) = (hosts, clusters)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in numbers {
                group.addTask {
                    let bytes = template.encoded(
                        id: PacketTemplate.id(run: 77, number: UInt64(number)), code: 77_000_000 &+ UInt64(number % clusters))
                    _ = try await store.add(
                        Report(
                            sender: Identity(role: .host, name: "seed-\(number % hosts)"),
                            body: .packet(try ReceivedPacket(encoded: bytes))))
                }
            }
            try await group.waitForAll()
        }
    }

    private static func signature(of code: ExtractedCode) -> Signature {
        let end = code.bytes.count / 2
        return Signature(
            tokens: [.init(bytes: Array(code.bytes[(end - 32)..<end]))],
            context: SignatureContext(transport: .udp, ports: [1434], direction: .toService))
    }
}
