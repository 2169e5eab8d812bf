// SPDX-License-Identifier: Apache-2.0

import BenchSupport
import EpitopeModel
import Foundation
import PatternScan
import Signatures

/// Engines that seek the same signatures in the same files, each in its own language.
struct Witnesses {
    /// What one of them found.
    struct Finding {
        var name: String
        var folder: String
        /// `nil`: the engine is not installed, or did not end in time.
        var hits: Int?
        var planted: Int?
        var of: Int
        var seconds: Double

        var row: [String] {
            [
                name, folder, hits.map(String.init) ?? "did not end", planted.map(String.init) ?? "-", "\(of)",
                Report.decimal(seconds, digits: 1),
            ]
        }
    }

    private let signatures: [Signature]
    private let scratch: URL
    private let planting: URL
    private let rules: RuleFiles

    /// - Parameter planted: code that the first signatures were made of. It is written into a folder of its own, where
    ///   every witness must find it: else its "no hit" would mean nothing.
    init(signatures: [Signature], planted: [[UInt8]]) throws {
        self.signatures = signatures
        scratch = FileManager.default.temporaryDirectory.appendingPathComponent("epitope-witnesses-\(UUID().uuidString)")
        planting = scratch.appendingPathComponent("planted")
        try FileManager.default.createDirectory(at: planting, withIntermediateDirectories: true)
        for (index, code) in planted.enumerated() { try Data(code).write(to: planting.appendingPathComponent("\(index)")) }
        rules = try RuleFiles(signatures, in: scratch)
    }

    func seek(in tree: String, clamscanTree: String) throws -> [Finding] {
        defer { try? FileManager.default.removeItem(at: scratch) }
        return [
            try scanner(tree),
            try engine("yara", ["yara", "-r", "-w", "-N", rules.yara], tree) { !$0.isEmpty },
            try engine("clamscan", ["clamscan", "-r", "-i", "--no-summary", "-d", rules.ndb], clamscanTree) { $0.hasSuffix("FOUND") },
        ]
    }

    private func scanner(_ tree: String) throws -> Finding {
        Report.progress("Epitope's own scanner over \(tree)")
        let scanner = try SignatureScanner(signatures)
        func hits(_ folder: String) -> Int {
            var hits = 0
            let all = FileManager.default.enumerator(atPath: folder)
            while let name = all?.nextObject() as? String {
                guard all?.fileAttributes?[.type] as? FileAttributeType == .typeRegular,
                    let data = try? Data(contentsOf: URL(fileURLWithPath: folder + "/" + name), options: .alwaysMapped)
                else { continue }
                hits += data.withUnsafeBytes { (try? scanner.matches(in: $0).count) ?? 0 }
            }
            return hits
        }
        let started = ContinuousClock().now
        let found = hits(tree)
        let seconds = started.duration(to: ContinuousClock().now).milliseconds / 1000
        let planted = try FileManager.default.contentsOfDirectory(atPath: planting.path).count
        return Finding(name: "epitope", folder: tree, hits: found, planted: hits(planting.path), of: planted, seconds: seconds)
    }

    private func engine(_ name: String, _ words: [String], _ tree: String, isHit: (Substring) -> Bool) throws -> Finding {
        Report.progress("\(name) over \(tree), at most \(EngineRun.maxSeconds) s")
        let planted = try FileManager.default.contentsOfDirectory(atPath: planting.path).count
        let run = try EngineRun(words + [tree])
        let control = try EngineRun(words + [planting.path])
        return Finding(
            name: name, folder: tree, hits: run?.lines.count(where: isHit), planted: control?.lines.count(where: isHit), of: planted,
            seconds: run?.seconds ?? .nan)
    }
}
