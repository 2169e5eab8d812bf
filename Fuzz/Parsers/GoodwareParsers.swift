// SPDX-License-Identifier: Apache-2.0

import Crypto
import Foundation
import GoodwareFiles
import GoodwareReading
import GoodwareIndex
import Signatures

extension FuzzParser {
    /// Program files, compressed files and archives of goodware.
    static let programs = FuzzParser(
        name: "programs", what: "ELF files and archives, unpacked and scanned",
        dictionary: [
            [0x7f, 0x45, 0x4c, 0x46], [0x1f, 0x8b, 8], [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], [0x28, 0xb5, 0x2f, 0xfd], [0x50, 0x4b, 3, 4],
            Array("BZh9".utf8), Array("!<arch>\ndebian-binary   ".utf8), Array("ustar\u{0}00".utf8), [1, 0, 0, 0], [2, 0, 0, 0],
            [0, 8, 0, 0],
        ],
        seeds: { scratch in try ElfSeeds.all + ArchiveSeeds.make(in: scratch) },
        run: { input, scratch in
            let corpus = try scratch.folder("corpus")
            _ = try corpus.write(input, to: "file")
            // Building an index reads files in the same way, but takes a hundred times as long.
            let index = scratch.file("made.goodware")
            if !FileManager.default.fileExists(atPath: index) { _ = try GoodwareBuilder.build(sources: [corpus.path], output: index) }
            let summary = try CorpusSearch.run([sought], corpus: try GoodwareFile(path: index))
            if summary.unread.count > 0 { throw Refusal("file-skipped") }
        })

    private static let sought = Signature(tokens: [.init(bytes: Array("nowhere to be found".utf8))], context: .any)

    /// Index files that were damaged on disk.
    static let goodwareIndex = FuzzParser(
        name: "goodware-index", what: "index files: open, check, ask", dictionary: [Array("EPITGOOD".utf8)],
        hotPlaces: { [0..<min(64, $0.count), 0..<$0.count] },
        seeds: GoodwareSeeds.make, run: use)

    /// Index files with a repaired checksum, like those of a forger.
    static let goodwareDescription = FuzzParser(
        name: "goodware-description", what: "index files with a right checksum: open, check, ask",
        hotPlaces: GoodwareSeeds.describedPlaces, seal: GoodwareSeeds.seal, seeds: GoodwareSeeds.make, run: use)

    private static let use: @Sendable ([UInt8], FuzzScratch) throws -> Void = { input, scratch in
        let file = try GoodwareFile(path: try scratch.write(input, to: "read.goodware"))
        _ = (file.fileCount, file.size, file.index.corpusBytes, file.sources)
        for segment in file.index.segments { _ = (segment.contents.distinctBytes, segment.slotBytes) }
        let absent = file.index.absentWindows(in: Array(input.prefix(512)))
        if absent.count != max(0, min(input.count, 512) - 31) { broken("not one answer for each window") }
        _ = file.index.surprise(of: input.prefix(64))
        try file.check()
    }
}

/// Valid goodware indexes.
enum GoodwareSeeds {
    static let make: @Sendable (FuzzScratch) throws -> [[UInt8]] = { scratch in
        let corpus = try scratch.folder("seed-corpus")
        let extra = try scratch.folder("seed-extra")
        defer { for name in ["seed-corpus", "seed-extra", "seed.goodware"] { scratch.remove(name) } }
        for (index, program) in ElfSeeds.all.enumerated() { _ = try corpus.write(program, to: "program-\(index)") }
        _ = try extra.write(CaptureSeeds.all[0], to: "frames.pcap")
        let path = scratch.file("seed.goodware")
        _ = try GoodwareBuilder.build(sources: [corpus.path], output: path)
        let one = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        // Two segments, and a capture among the sources.
        _ = try GoodwareBuilder.update(path, captures: [extra.file("frames.pcap")])
        return [one, [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))]
    }

    /// The offset of the description, from the header.
    private static func start(_ bytes: [UInt8]) -> Int? {
        guard bytes.count >= 64 else { return nil }
        let start = bytes.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: 16, as: UInt64.self)) }
        return start <= UInt64(bytes.count) ? Int(start) : nil
    }

    /// The segments, some counts of pairs, and the names after them. All counts would be half a megabyte.
    static let describedPlaces: @Sendable ([UInt8]) -> [Range<Int>] = { bytes in
        guard let start = start(bytes) else { return [0..<min(bytes.count, 64)] }
        let segments = start..<min(start + 220, bytes.count)
        let names = max(start, bytes.count - 300)..<bytes.count
        return [segments, segments, names, segments.upperBound..<min(segments.upperBound + 64, bytes.count)]
    }

    /// Updates the length and the SHA-256 in the header.
    static let seal: @Sendable (inout [UInt8]) -> Void = { bytes in
        guard let start = start(bytes) else { return }
        bytes.replaceSubrange(24..<32, with: ByteOrder.little(UInt64(bytes.count - start), 8))
        var hash = SHA256()
        hash.update(data: bytes[..<32])
        hash.update(data: bytes[start...])
        bytes.replaceSubrange(32..<64, with: Array(hash.finalize()))
    }
}
