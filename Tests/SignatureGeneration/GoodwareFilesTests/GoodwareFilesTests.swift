// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Foundation
import GoodwareFiles
import GoodwareReading
import GoodwareIndex
import TestSupport
import Testing

/// Indexes are built from a folder that each test makes and removes.
@Suite struct GoodwareFilesTests {
    private func bytes(_ count: Int, seed: UInt64) -> [UInt8] {
        var numbers = SeededGenerator(seed: seed)
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &numbers) }
    }

    private func inFolder(_ body: (String) async throws -> Void) async throws {
        let folder = NSTemporaryDirectory() + "/goodware-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder + "/corpus", withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await body(folder)
    }

    private func write(_ bytes: [UInt8], _ path: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }

    private func code(_ body: () throws -> Void) -> String? {
        do {
            try body()
            return nil
        } catch { return (error as? EpitopeError)?.code.rawValue }
    }

    @Test func `indexed bytes are present and foreign bytes are absent`() async throws {
        try await inFolder { folder in
            let first = bytes(40000, seed: 1)
            let second = bytes(33, seed: 2)
            try write(first, folder + "/corpus/first")
            try write(second, folder + "/corpus/second")
            let summary = try GoodwareBuilder.build(sources: [folder + "/corpus"], output: folder + "/index")
            #expect(summary.files == 2)
            #expect(summary.skipped.isEmpty)
            let file = try GoodwareFile(path: folder + "/index")
            try file.check()
            #expect(file.sources == [folder + "/corpus"])
            #expect(file.index.corpusBytes == 40033)
            #expect(!file.index.absentWindows(in: first).contains(true))
            #expect(!file.index.absentWindows(in: second).contains(true))
            #expect(file.index.absentWindows(in: bytes(64, seed: 3)).contains(true))
        }
    }

    @Test func `an update reads new files and keeps deleted ones`() async throws {
        try await inFolder { folder in
            let (first, second) = (bytes(3000, seed: 1), bytes(3000, seed: 2))
            try write(first, folder + "/corpus/first")
            _ = try GoodwareBuilder.build(sources: [folder + "/corpus"], output: folder + "/index")
            try FileManager.default.removeItem(atPath: folder + "/corpus/first")
            try write(second, folder + "/corpus/second")
            #expect(try GoodwareBuilder.update(folder + "/index").files == 1)
            #expect(try GoodwareBuilder.update(folder + "/index").files == 0)
            let file = try GoodwareFile(path: folder + "/index")
            #expect(file.index.segments.count == 2)
            #expect(!file.index.absentWindows(in: first).contains(true))
            #expect(!file.index.absentWindows(in: second).contains(true))
        }
    }

    @Test func `compressed files are indexed`() async throws {
        try await inFolder { folder in
            let text = bytes(20000, seed: 4).map { $0 & 3 }
            try write(text, folder + "/corpus/text")
            _ = try await Command.run("/usr/bin/gzip", [folder + "/corpus/text"])
            _ = try GoodwareBuilder.build(sources: [folder + "/corpus"], output: folder + "/index")
            let file = try GoodwareFile(path: folder + "/index")
            #expect(!file.index.absentWindows(in: text).contains(true))
            // Half of it is no longer an archive: what can be read is, and the file is reported.
            let packed = try Data(contentsOf: URL(fileURLWithPath: folder + "/corpus/text.gz"))
            try write(Array(packed.prefix(packed.count / 2)), folder + "/corpus/text.gz")
            let summary = try GoodwareBuilder.build(sources: [folder + "/corpus"], output: folder + "/index")
            #expect(summary.skipped.map(\.path.description) == [folder + "/corpus/text.gz"])
        }
    }

    /// Some eight million windows, those across the borders of chunks, of layers and of holes among them.
    @Test func `no window of what was read is absent, across any border`() async throws {
        try await inFolder { folder in
            let mebibyte = 1 << 20
            let contents = [
                bytes(3 * mebibyte + 17, seed: 21), bytes(2 * mebibyte - 1, seed: 22).map { $0 & 1 },
                bytes(mebibyte + 1, seed: 23).map { $0 & 7 }, bytes(mebibyte, seed: 24).map { $0 == 0 ? 1 : 0 },
            ]
            for (number, content) in contents.enumerated() { try write(content, folder + "/corpus/file-\(number)") }
            let packing = "gzip file-1; tar czf a.tgz file-2 file-3; rm file-2 file-3; truncate -s 9M file-0"
            _ = try await Command.run("/bin/sh", ["-ec", "cd \(folder)/corpus; \(packing)"])
            let summary = try GoodwareBuilder.build(sources: [folder + "/corpus"], output: folder + "/index")
            #expect(summary.skipped.isEmpty)
            let index = try GoodwareFile(path: folder + "/index").index
            for content in contents + [Array(contents[0].suffix(40)) + [UInt8](repeating: 0, count: 100)] {
                #expect(!index.absentWindows(in: content).contains(true))
            }
        }
    }

    @Test func `an index that is written in place while it is in use is no longer believed`() async throws {
        try await inFolder { folder in
            let (path, first) = (folder + "/index", bytes(40000, seed: 1))
            try write(first, folder + "/corpus/first")
            _ = try GoodwareBuilder.build(sources: [folder + "/corpus"], output: path)
            let content = try Data(contentsOf: URL(fileURLWithPath: path))
            let open = try GoodwareFile(path: path)
            // A new index takes the name: the open one stays what it is.
            try write(Array(content), folder + "/new")
            #expect(rename(folder + "/new", path) == 0)
            #expect(!open.index.absentWindows(in: first).contains(true))
            #expect(code { try open.requireUnchanged() } == nil)

            let cut = try GoodwareFile(path: path)
            let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
            try handle.truncate(atOffset: 0)
            // No crash, and no "absent" that counts.
            _ = cut.index.absentWindows(in: first)
            #expect(code { try cut.requireUnchanged() } == "goodware-changed")
            #expect(code { try cut.check() } != nil)
            try handle.write(contentsOf: content)
            try handle.close()
            #expect(code { try cut.requireUnchanged() } == "goodware-changed")
            #expect(code { try GoodwareFile(path: path).check() } == nil)
        }
    }

    @Test func `file systems of the kernel are no goodware wherever they are mounted`() async throws {
        var reasons: [String] = []
        let files = FileTree.files(below: ["/proc/self"]) { path, reason in reasons.append("\(path): \(reason)") }
        // A link to a folder, which is not followed, or the folder: either way nothing is read.
        #expect(files.isEmpty)
        #expect(FileTree.files(below: ["/sys"]) { path, reason in reasons.append("\(path): \(reason)") } == [])
        #expect(reasons.contains { $0.hasPrefix("/sys: ") })
    }

    @Test func `a damaged index is rejected`() async throws {
        try await inFolder { folder in
            try write(bytes(3000, seed: 1), folder + "/corpus/first")
            let path = folder + "/index"
            _ = try GoodwareBuilder.build(sources: [folder + "/corpus"], output: path)
            let whole = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
            func opening(_ changed: [UInt8]) throws -> String? {
                try write(changed, path)
                return self.code { _ = try GoodwareFile(path: path) }
            }
            for place in [0, 16, 24, 40, whole.count - 1] {
                var changed = whole
                changed[place] ^= 0x41
                #expect(try opening(changed) == "goodware-damaged")
            }
            for length in [0, 7, 63, 64, whole.count - 1] {
                #expect(try opening(Array(whole.prefix(length))) == "goodware-damaged")
            }
            var newer = whole
            newer[8] = 9
            #expect(try opening(newer) == "goodware-version")
            var filter = whole
            filter[100] ^= 1
            try write(filter, path)
            #expect(code { try GoodwareFile(path: path).check() } == "goodware-damaged")
            #expect(code { _ = try GoodwareFile(path: folder + "/none") } == "goodware-missing")
            #expect(code { _ = try GoodwareBuilder.build(sources: [folder + "/none"], output: path) } == "goodware-missing")
            #expect(
                code { _ = try GoodwareBuilder.build(sources: [folder + "/corpus"], output: folder + "/none/index") }
                    == "goodware-unwritable")
        }
    }
}
