// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BenchSupport
import EpitopeModel
import Foundation
import GoodwareFiles
import GoodwareReading
import GoodwareIndex
import SignatureMaking
import SignatureProving
import Signatures
import TestSupport
import TokenSequences

/// How long signatures take to make and to prove.
struct SpeedExperiment: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "speed", abstract: "Time a packet, token sequences of many samples, and the goodware index.")

    @OptionGroup var goodware: GoodwareIndexOption
    @Option(help: "The seed of all random draws.")
    var seed: UInt64 = 1
    @Flag(help: "Small sizes, for a look.")
    var quick = false

    private var clock: ContinuousClock { ContinuousClock() }

    func run() async throws {
        var option = goodware
        if option.tree == "/usr" { option.tree = quick ? "/usr/bin" : "/usr/lib" }
        let (file, built) = try option.open(isAlwaysBuilt: true)
        let packet = try packetMicroseconds(file, isRanked: true)
        let usual = try packetMicroseconds(file, isRanked: false)
        let query = queryNanoseconds(file)
        Report.table(
            "One packet of 8 KiB, and the goodware index of \(option.tree)", ["what", "measured", "goal"],
            [
                ["packet: window, masks, rare windows, ranked; proof; median us", Report.decimal(packet.median, digits: 0), "1000"],
                ["the same, worst us", Report.decimal(packet.worst, digits: 0), "-"],
                ["packet whose window is proven at once, median us", Report.decimal(usual.median, digits: 0), "-"],
                ["index build, MB/s on all cores", built.map { Report.decimal($0.megabytesPerSecond, digits: 0) } ?? "-", "-"],
                [
                    "index build, MB/s of one core: a second of processor time",
                    built.map { Report.decimal($0.megabytesPerProcessorSecond, digits: 0) } ?? "-", "200",
                ],
                ["index, bytes per 32 distinct bytes", Report.decimal(file.bytesPer32, digits: 2), "4"],
                ["index query, ns a window", Report.decimal(query, digits: 0), "2000"],
            ])
        let hundred = sequences()
        let (signatures, planted) = try InertPackets.signatures(
            quick ? 100 : 1000, SignatureProver(ProverMaterial(goodware: file)), seed: seed)
        let throughput = try VerifyThroughput(signatures: signatures, planted: planted, size: (quick ? 100 : 1000) << 20)
            .run(files: MachineFiles.paths(seed: seed))
        Report.keys(
            [
                ("packet_us", Report.decimal(packet.median, digits: 0)), ("tokens100_ms", Report.decimal(hundred, digits: 1)),
                ("index_mb_s", Report.decimal(built?.megabytesPerSecond ?? .nan, digits: 0)),
                ("index_mb_s_core", Report.decimal(built?.megabytesPerProcessorSecond ?? .nan, digits: 0)),
                ("index_bytes_per_32", Report.decimal(file.bytesPer32, digits: 2)), ("query_ns", Report.decimal(query, digits: 0)),
            ] + throughput.map { ("\($0.name == "epitope" ? "verify" : $0.name)_mb_s", Report.decimal($0.megabytesPerSecond, digits: 0)) })
    }

    /// - Parameter isRanked: whether all candidates are made and ranked, as where the caller window fails.
    private func packetMicroseconds(_ file: GoodwareFile, isRanked: Bool) throws -> (median: Double, worst: Double) {
        let prover = SignatureProver(ProverMaterial(goodware: file))
        var random = SeededGenerator(seed: seed, "packets")
        var times: [Double] = []
        for _ in 0..<(quick ? 50 : 300) {
            let sample = InertPackets.random(8192, &random)
            let given = try sample.callerWindow()
            let started = clock.now
            let best = isRanked ? prover.ranked(for: [sample]).first?.signature : nil
            let outcome = prover.prove([sample], given: best ?? given)
            times.append(started.duration(to: clock.now).milliseconds * 1000)
            guard !outcome.proven.isEmpty else {
                throw ValidationError("an inert packet gave no signature: \(String(describing: outcome.failed))")
            }
        }
        return (times.sorted()[times.count / 2], times.max() ?? 0)
    }

    private func queryNanoseconds(_ file: GoodwareFile) -> Double {
        var random = SeededGenerator(seed: seed, "queries")
        let windows = (0..<20_000).map { _ in random.bytes(32) }
        let started = clock.now
        var absent = 0
        for window in windows { absent += file.index.absentWindows(in: window).count { $0 } }
        let taken = started.duration(to: clock.now).milliseconds * 1e6 / Double(windows.count)
        Report.remark("\(absent) of \(windows.count) random windows are proven absent.")
        return taken
    }

    /// - Returns: the milliseconds for 100 samples.
    private func sequences() -> Double {
        var rows: [[String]] = []
        var hundred = Double.nan
        var smallest: Double?
        for count in [2, 5, 10, 20, 50, 100, 200, 500, 1000] where !quick || count <= 200 {
            var random = SeededGenerator(seed: seed, "sequences")
            let tokens = [random.bytes(12), random.bytes(20), random.bytes(8), random.bytes(32)]
            let samples = (0..<count).map { _ in
                tokens.reduce(random.bytes(1500)) { $0 + $1 + random.bytes(1655) }
            }
            Report.progress("token sequence of \(count) samples of 8 KiB")
            let started = clock.now
            let found = TokenSequences.make(of: samples, noiseShare: 0.5, benign: BenignPool(streams: []))
            let taken = started.duration(to: clock.now).milliseconds
            if count == 100 { hundred = taken }
            let each = taken / Double(count)
            smallest = smallest ?? each
            rows.append([
                "\(count)", Report.decimal(taken, digits: 1), Report.decimal(each, digits: 3),
                found.first.map { "\($0.covered.count)" } ?? "none",
            ])
        }
        Report.table(
            "Token sequences of samples of 8 KiB (goal: 100 samples in 100 ms)", ["samples", "ms", "ms a sample", "covered"], rows)
        Report.remark(
            "Published, as we recall it: Hamsa took seconds where Polygraph took minutes to hours for pools of this size.")
        return hundred
    }
}
