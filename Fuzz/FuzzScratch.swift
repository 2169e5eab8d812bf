// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The folder of one parser's inputs, indexes and counters.
struct FuzzScratch: Sendable {
    let path: String

    init(_ path: String) throws {
        self.path = path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes a file and returns its path.
    func write(_ bytes: [UInt8], to name: String) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: file(name)))
        return file(name)
    }

    func folder(_ name: String) throws -> FuzzScratch { try FuzzScratch(file(name)) }

    func remove(_ name: String) {
        try? FileManager.default.removeItem(atPath: file(name))
    }

    /// Stores the seeds for the workers, which must all have the same: some contain times or inodes.
    func keep(seeds: [[UInt8]]) throws {
        let folder = try folder("seeds")
        for (index, seed) in seeds.enumerated() { _ = try folder.write(seed, to: "\(index)") }
    }

    /// The seeds that ``keep(seeds:)`` stored.
    func keptSeeds() throws -> [[UInt8]] {
        let folder = file("seeds")
        return try FileManager.default.contentsOfDirectory(atPath: folder).compactMap(Int.init).sorted().map {
            [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\($0)")))
        }
    }

    /// The best place for many small files: a file system in memory, if there is one.
    static func fresh() -> String {
        let memory = "/dev/shm"
        let parent = FileManager.default.isWritableFile(atPath: memory) ? memory : FileManager.default.temporaryDirectory.path
        return "\(parent)/epitope-fuzz-\(UUID().uuidString)"
    }
}
