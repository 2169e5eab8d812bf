// SPDX-License-Identifier: Apache-2.0

import Foundation
import GoodwareFiles
import GoodwareIndex
import TestSupport
import Testing

/// What is packed is goodware, too. Each text here repeats few values, so that its packed form does not hold it.
@Suite("Archives and compressed goodware") struct UnpackingTests {
    private func text(_ seed: UInt64) -> [UInt8] {
        var numbers = SeededGenerator(seed: seed)
        return (0..<20000).map { _ in UInt8.random(in: 0...3, using: &numbers) }
    }

    private func write(_ bytes: [UInt8], _ path: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }

    /// Whether the index of a folder with just this file knows all of the text.
    private func isKnown(_ text: [UInt8], in folder: TemporaryFolder) throws -> Bool {
        let summary = try GoodwareBuilder.build(sources: [folder.path + "/corpus"], output: folder.path + "/index")
        #expect(summary.skipped.isEmpty)
        return try !GoodwareFile(path: folder.path + "/index").index.absentWindows(in: text).contains(true)
    }

    @Test(arguments: [
        "xz text", "zstd -q --rm text", "bzip2 text", "zip -qm text.zip text", "tar cf text.tar text && rm text",
        "tar cJf text.tar.xz text && rm text", "gzip text && zip -qm text.zip text.gz",
        "tar czf data.tar.gz text && tar czf control.tar.gz --files-from /dev/null && echo 2.0 >debian-binary"
            + " && ar rc text.deb debian-binary control.tar.gz data.tar.gz && rm text debian-binary *.gz",
    ])
    func `files are found in every kind of archive and compression`(command: String) async throws {
        let folder = try TemporaryFolder()
        try FileManager.default.createDirectory(atPath: folder.path + "/corpus", withIntermediateDirectories: false)
        let text = text(1)
        try write(text, folder.path + "/corpus/text")
        _ = try await Command.run("/bin/sh", ["-ec", "cd \(folder.path)/corpus; \(command)"])
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/corpus/text"))
        #expect(try isKnown(text, in: folder))
    }

    @Test func `compressed sections of programs are indexed`() async throws {
        let folder = try TemporaryFolder()
        let corpus = folder.path + "/corpus"
        try FileManager.default.createDirectory(atPath: corpus, withIntermediateDirectories: false)
        let text = text(2)
        try write(text, folder.path + "/text")
        _ = try await Command.run("/bin/sh", ["-ec", "cd \(folder.path); gzip -nk text; zstd -qk text"])
        let gzip = [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder.path + "/text.gz")))
        let zstd = [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder.path + "/text.zst")))
        // Deflate in zlib's frame: another header and trailer.
        let zlib = [0x78, 0x9c] + gzip[10..<gzip.count - 8] + [0, 0, 0, 0]
        for (kind, packed) in [(1, zlib), (2, zstd)] as [(UInt64, [UInt8])] {
            try write(ElfFile.bytes([(0, []), ElfFile.compressed(kind: kind, size: text.count, packed)]), corpus + "/program")
            #expect(try isKnown(text, in: folder), "kind \(kind)")
        }
        try write(ElfFile.bytes([ElfFile.compressed(kind: 9, size: 9, zlib)]), corpus + "/program")
        let summary = try GoodwareBuilder.build(sources: [corpus], output: folder.path + "/index")
        #expect(summary.skipped.map(\.path) == [corpus + "/program"])
        // What was skipped is tried again.
        #expect(try GoodwareBuilder.update(folder.path + "/index").files == 1)
    }
}
