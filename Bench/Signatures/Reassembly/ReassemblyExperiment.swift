// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BenchSupport
import Foundation
import StreamReassembly
import TestSupport

/// How far streams are put together as Suricata does, on generated flows: in order and not, overlapping, sent again with other
/// bytes, with gaps, resets, wrong checksums, fragments, tunnels and ports that are used again.
struct ReassemblyExperiment: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reassembly", abstract: "Compare the streams of generated flows with Suricata's own.")

    @Option(help: "The seed of all random draws.")
    var seed: UInt64 = 1
    @Flag(help: "Small sizes, for a look.")
    var quick = false

    func run() async throws {
        let traffic = FlowTraffic(count: quick ? 1000 : 20_000, seed: seed)
        let theirs = try await SuricataReading.alerts(on: traffic.capture, rules: traffic.rules)
        let started = ContinuousClock.now
        let (ours, work) = found(in: traffic)
        let seconds = started.duration(to: .now).milliseconds / 1000
        let outcome = traffic.compare(ours: ours, theirs: Set(theirs.map { $0 - 1 }))
        let bytes = traffic.frames.reduce(0) { $0 + $1.count }
        let allowed = outcome.allowed.values.reduce(0, +)
        let differences = outcome.differences.values.reduce(0, +)
        Report.table(
            "\(traffic.flows.count) flows in \(traffic.frames.count) frames, a token in each, by Epitope and by Suricata",
            ["flows", "what"],
            [["\(outcome.agreed)", "the same by both (\(outcome.foundByBoth) tokens found)"]]
                + outcome.allowed.sorted { $0.key < $1.key }.map { ["\($0.value)", "allowed: \($0.key)"] }
                + outcome.differences.sorted { $0.key < $1.key }.map { ["\($0.value)", "DIFFERENT: \($0.key)"] })
        Report.keys([
            ("differential_flows", "\(traffic.flows.count)"), ("differential_allowed", "\(allowed)"),
            ("differential_differences", "\(differences)"),
            ("reassembly_mb_s", Report.decimal(Double(bytes) / 1e6 / max(seconds, 1e-9), digits: 0)),
            ("reassembly_steps_per_byte", Report.decimal(Double(work) / Double(max(bytes, 1)), digits: 2)),
        ])
        if differences > 0 { throw ExitCode.failure }
    }

    private func found(in traffic: FlowTraffic) -> (found: Set<Int>, work: Int) {
        var reassembly = StreamReassembly()
        var found: Set<Int> = []
        for (number, frame) in traffic.frames.enumerated() {
            for stream in reassembly.add(frame, link: .ethernet, milliseconds: Int64(number)) {
                found.formUnion(traffic.found(in: stream.bytes))
            }
        }
        for stream in reassembly.finish() { found.formUnion(traffic.found(in: stream.bytes)) }
        return (found, reassembly.work)
    }
}
