import EpitopeModel
import Foundation
import PatternScan
import Rendering
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

    /// In seconds, for one engine.
    private static let longest = 900

    private let signatures: [Signature]
    private let scratch: URL

    /// - Parameter planted: code that the first signatures were made of. It is written into a folder of its own, where
    ///   every witness must find it: else its "no hit" would mean nothing.
    init(signatures: [Signature], planted: [[UInt8]]) throws {
        self.signatures = signatures
        scratch = FileManager.default.temporaryDirectory.appendingPathComponent("epitope-witnesses-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: planting, withIntermediateDirectories: true)
        for (index, code) in planted.enumerated() { try Data(code).write(to: planting.appendingPathComponent("\(index)")) }
        for (name, language) in [("yara", RuleLanguage.yara), ("ndb", .clamavNDB)] {
            let rules = try signatures.enumerated().map { index, signature in
                try language.rendering.render(
                    RenderingSubject(signature: signature, sid: 3_900_000 + UInt32(index), createdMilliseconds: 0))
            }
            try Data((rules.joined(separator: "\n") + "\n").utf8).write(to: scratch.appendingPathComponent("rules.\(name)"))
        }
    }

    private var planting: URL { scratch.appendingPathComponent("planted") }

    func seek(in tree: String, clamscanTree: String) throws -> [Finding] {
        defer { try? FileManager.default.removeItem(at: scratch) }
        let (yara, clam) = (scratch.appendingPathComponent("rules.yara").path, scratch.appendingPathComponent("rules.ndb").path)
        return [
            try scanner(tree),
            try engine("yara", ["yara", "-r", "-w", "-N", yara], tree) { !$0.isEmpty },
            try engine("clamscan", ["clamscan", "-r", "-i", "--no-summary", "-d", clam], clamscanTree) { $0.hasSuffix("FOUND") },
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
        Report.progress("\(name) over \(tree), at most \(Self.longest) s")
        let planted = try FileManager.default.contentsOfDirectory(atPath: planting.path).count
        let started = ContinuousClock().now
        let lines = try output(words + [tree])
        let seconds = started.duration(to: ContinuousClock().now).milliseconds / 1000
        let control = try output(words + [planting.path])
        func count(_ lines: String?) -> Int? { lines?.split(separator: "\n").count(where: isHit) }
        return Finding(name: name, folder: tree, hits: count(lines), planted: count(control), of: planted, seconds: seconds)
    }

    /// What a command prints; `nil` when it can't be started or did not end in time.
    private func output(_ words: [String]) throws -> String? {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["timeout", "\(Self.longest)"] + words
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        // 124: out of time; 126, 127: not there. clamscan ends with 1 for a hit and 2 when a file could not be read.
        return [124, 126, 127].contains(process.terminationStatus) ? nil : String(decoding: data, as: UTF8.self)
    }
}
