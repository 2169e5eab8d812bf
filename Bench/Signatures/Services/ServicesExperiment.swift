// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BenchSupport
import EpitopeModel
import ProcessContext
import Rendering
import Signatures
import TestSupport

/// Rules of attacks on servers, however these hold their sockets: real processes on loopback, looked at as a host looks at the
/// process of a held call, and a real Suricata that decides about further attacks, and about the same bytes to other services.
struct ServicesExperiment: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "services", abstract: "Whether rules are about the service that was attacked, and no other.")

    @Option(help: "The seed of all random draws.")
    var seed: UInt64 = 1
    @Flag(help: "Small sizes, for a look: there are none, so it does nothing.")
    var quick = false

    func run() async throws {
        var random = SeededGenerator(seed: seed, "services")
        var rows: [[String]] = []
        var totals = (missed: 0, foreign: 0, unbounded: 0)
        for kind in ServerKind.all {
            let (port, context) = try Self.context(of: kind, &random)
            let token = InertInstructions.bytes(32, &random)
            let signature = Signature(tokens: [.init(bytes: token)], context: context)
            let rules = try SuricataRendering.render(RuleInput(signature: signature, sid: SIDRange.all.lowerBound, createdMilliseconds: 0))
            let bytes = random.bytes(50...50) + token + random.bytes(50...50)
            let (missed, foreign) = (
                try await Self.fired(rules, bytes, kind.ways(port)).count { !$0 },
                try await Self.fired(rules, bytes, kind.others(port)).count { $0 }
            )
            let unbounded = context.parts.count { $0.transport == nil || $0.direction == .any && $0.ports.isEmpty }
            totals = (totals.missed + missed, totals.foreign + foreign, totals.unbounded + unbounded)
            rows.append([
                kind.name, context.parts.map { Self.text($0) }.joined(separator: ", "), "\(kind.ways(port).count)", "\(missed)",
                "\(foreign)",
            ])
        }
        Report.table(
            "Attacks on servers, by the way in which they hold their sockets: further attacks by each way in, and the same bytes elsewhere",
            ["server", "the rules are about", "ways in", "missed", "hits elsewhere"], rows)
        Report.keys([
            ("services_missed", "\(totals.missed)"), ("services_foreign", "\(totals.foreign)"), ("services_any", "\(totals.unbounded)"),
        ])
        if totals != (0, 0, 0) { throw ExitCode.failure }
    }

    /// What a packet of such a server is about: looked at while it is there.
    private static func context(
        of kind: ServerKind, _ random: inout SeededGenerator
    ) throws -> (port: Int, context: SignatureContext) {
        // Below the ports that the machine gives to connections of its own.
        var attempts = 0
        while true {
            let port = Int.random(in: 20_000...31_000, using: &random)
            attempts += 1
            let server: ServerProcess
            do { server = try ServerProcess(kind.mode, port: port) } catch  where attempts < 10 { continue }
            defer { server.end() }
            return (port, SignatureContext(ProcessInspector().inspect(processID: server.id, threadID: server.id)))
        }
    }

    /// For each way, whether Suricata fires on an attack by it.
    private static func fired(_ rules: String, _ bytes: [UInt8], _ ways: [ServerKind.Way]) async throws -> [Bool] {
        var fired: [Bool] = []
        for way in ways {
            let capture = NetworkFrame.capture(way.frames(bytes), link: 101)
            fired.append(try await !SuricataReading.fired(on: capture, rules: rules, checksChecksums: false).isEmpty)
        }
        return fired
    }

    private static func text(_ part: SignatureContext) -> String {
        let ports = part.ports.isEmpty ? "any port" : part.ports.count == 1 ? "\(part.ports[0])" : "\(part.ports.count) ports"
        return "\(part.transport?.rawValue ?? "any protocol") \(part.direction.rawValue) \(ports)"
    }
}
