// SPDX-License-Identifier: Apache-2.0

import BenchSupport
import Foundation
import Signatures

/// `epitope verify` beside yara and clamscan: the same signatures in the same files, each as a person runs it, with
/// starting and compiling the rules in the time.
struct VerifyThroughput {
    private struct Engine {
        var name: String
        var words: [String]
        /// Whether it can use more than one core.
        var isParallel: Bool
        var isHit: (Substring) -> Bool
    }

    let signatures: [Signature]
    /// Code that the first signatures were made of.
    let planted: [[UInt8]]
    /// In bytes: how much of the machine's own files is searched.
    let size: Int

    /// - Returns: for each engine its best throughput in MB/s.
    func run(files: [String]) throws -> [(name: String, megabytesPerSecond: Double)] {
        let scratch = FileManager.default.temporaryDirectory.appendingPathComponent("epitope-throughput-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: scratch) }
        let tree = scratch.appendingPathComponent("tree")
        try FileManager.default.createDirectory(at: tree, withIntermediateDirectories: true)
        let bytes = try fill(tree, from: files)
        let rules = try RuleFiles(signatures, in: scratch)
        let epitope = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent("epitope").path
        let engines = [
            Engine(
                name: "epitope", words: [epitope, "verify", rules.json, "--most", "1000", "--in"], isParallel: true,
                isHit: { $0.contains(tree.path) && $0.contains("planted-") }),
            Engine(name: "yara", words: ["yara", "-r", "-w", "-N", "-p", "2", rules.yara], isParallel: true, isHit: { !$0.isEmpty }),
            Engine(
                name: "clamscan",
                words: ["clamscan", "-r", "-i", "--no-summary", "--max-filesize=2000M", "--max-scansize=2000M", "-d", rules.ndb],
                isParallel: false, isHit: { $0.hasSuffix("FOUND") }),
        ]
        var rows: [[String]] = []
        var best: [(name: String, megabytesPerSecond: Double)] = []
        for engine in engines {
            guard try EngineRun(["which", engine.words[0]])?.lines.isEmpty == false else {
                Report.remark("\(engine.name) is not there: its key is left out.")
                continue
            }
            var fastest = 0.0
            for cores in engine.isParallel ? [1, 2] : [1] {
                Report.progress("\(engine.name) on \(cores) core\(cores == 1 ? "" : "s"), \(bytes >> 20) MiB")
                guard let run = try EngineRun(["taskset", "-c", cores == 1 ? "0" : "0,1"] + engine.words + [tree.path]) else {
                    rows.append([engine.name, "\(cores)", "did not end", "-", "-"])
                    continue
                }
                let speed = Double(bytes) / 1e6 / run.seconds
                fastest = max(fastest, speed)
                rows.append([
                    engine.name, "\(cores)", Report.decimal(run.seconds, digits: 2), Report.decimal(speed, digits: 0),
                    "\(run.lines.count(where: engine.isHit)) of \(planted.count)",
                ])
            }
            best.append((engine.name, fastest))
        }
        Report.table(
            "\(signatures.count) signatures sought in \(bytes >> 20) MiB of files in memory, \(planted.count) of which hold one",
            ["engine", "cores", "s", "MB/s", "hits"], rows)
        return best
    }

    /// Copies files until the size is reached, and plants the code. What is copied lies in the page cache.
    private func fill(_ tree: URL, from files: [String]) throws -> Int {
        var bytes = 0
        for (index, path) in files.enumerated() where bytes < size {
            guard let data = try? Data(contentsOf: URL(fileURLWithPath: path)), !data.isEmpty else { continue }
            try data.write(to: tree.appendingPathComponent("\(index)"))
            bytes += data.count
        }
        for (index, code) in planted.enumerated() {
            try Data(code).write(to: tree.appendingPathComponent("planted-\(index)"))
            bytes += code.count
        }
        return bytes
    }
}
