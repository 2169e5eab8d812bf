// SPDX-License-Identifier: Apache-2.0

import Dispatch
import Foundation
import ProgramRuns

/// Runs an engine in a folder of its own that is gone afterwards.
enum EngineCommand {
    enum Outcome: Sendable {
        case accepted
        /// Its own words.
        case refused(String)
        /// It could not be asked.
        case unknown(String)
    }

    /// The program's path by way of `PATH`; `nil` where it is not installed.
    static func path(of program: String) -> String? {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/usr/local/bin").split(separator: ":")
        return folders.map { "\($0)/\(program)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// Waiting for a process would hold up one of Swift's own threads, so a thread of Dispatch's does it.
    static func run(_ path: String, _ engine: Engine, _ files: [String: String], within seconds: Double) async -> Outcome {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(returning: wait(path, engine, files, seconds)) }
        }
    }

    private static func wait(_ path: String, _ engine: Engine, _ files: [String: String], _ seconds: Double) -> Outcome {
        let folder = NSTemporaryDirectory() + "/epitope-engine-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: folder) }
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
            for (name, text) in files.merging(engine.companions, uniquingKeysWith: { one, _ in one }) {
                try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
            }
        } catch {
            return .unknown("no scratch folder can be made for \(engine.program): \(error)")
        }
        let output = "\(folder)/output"
        do {
            switch try ProgramRun.run([path] + engine.arguments(folder, files.keys.sorted()), output: output, within: seconds) {
            case .timedOut: return .unknown("\(engine.program) did not end in \(Int(seconds)) seconds")
            case .exited(0): return .accepted
            case .exited(let status): return .refused(complaint(in: output) ?? "it ended with status \(status)")
            }
        } catch {
            return .unknown("\(path) can't be run: \(error.reason)")
        }
    }

    /// The first line of what a program printed that speaks of an error.
    private static func complaint(in output: String) -> String? {
        let said = (try? Data(contentsOf: URL(fileURLWithPath: output))).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return said.split(separator: "\n").first { $0.lowercased().contains("error") }.map { String($0.prefix(400)) }
    }
}
