// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Foundation
import TestSupport
import Testing

@testable import GoodwareFiles
@testable import GoodwareReading

/// Small files that unpack without end: each ends within its budget, and is named.
@Suite("Bombs") struct UnpackingBoundsTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    /// Makes a file with a few lines of Python, and reads it.
    ///
    /// - Returns: why it was not read as a whole, and how much was.
    private func read(_ script: String) async throws -> (size: Int, reason: String?, bytes: UInt64) {
        let path = folder.path + "/file"
        let made = try await Command.run("/usr/bin/python3", ["-c", Self.prelude + script, path])
        #expect(made.status == 0, "\(made.errors)")
        let file = try #require(CorpusFile(path))
        var reader = CorpusReader(ChunkerStack(size: 1 << 20, overlap: 31) { _, _, _ in })
        do {
            try reader.read(file)
            return (Int(file.size), nil, reader.bytesRead)
        } catch let skipped as CorpusReader.Skipped {
            return (Int(file.size), skipped.reason, reader.bytesRead)
        }
    }

    private static let prelude = """
        import sys, struct, zlib, gzip, io, zipfile, tarfile
        def gz(parts):
            c = zlib.compressobj(6, zlib.DEFLATED, 31)
            return b''.join([c.compress(p) for p in parts] + [c.flush()])
        def header(name, size=0):
            h = bytearray(512); h[:len(name)] = name; h[100:107] = b'0000644'; h[124:135] = b'%011o' % size; h[156:157] = b'0'
            h[257:265] = b'ustar\\x0000'; h[148:156] = b'        '; h[148:155] = b'%06o\\0' % sum(h); return bytes(h)
        def save(data): open(sys.argv[1], 'wb').write(data)

        """

    /// Beyond the file itself: what a file of that size may unpack to, and a block of each layer.
    private func limit(_ size: Int) -> UInt64 {
        UInt64(size) + UnpackingBudget(size: UInt64(size)).allowed + UInt64(UnpackingBudget.maxDepth) << 20
    }

    @Test(arguments: [
        // Headers of empty members, which are no contents: compressed twice.
        "h = header(b'a') * 2048\nsave(gz([gz([h] * 300)]))",
        // A member of zeros, and zeros alone.
        "save(gz([b'\\0' * (1 << 20)] * 300))",
        "save(gz([header(b'a', 1 << 30)] + [b'\\0' * (1 << 20)] * 300))",
        // Blocks of deflate that give no output: the inner layer reads without end.
        "e = b'\\x1f\\x8b\\x08' + b'\\0' * 7 + (b'\\0\\0\\0\\xff\\xff' * 200000)\nsave(gz([e] + [b'\\0\\0\\0\\xff\\xff' * 200000] * 300))",
        // Many members of the same bytes: each is compressed small.
        "z = io.BytesIO()\nf = zipfile.ZipFile(z, 'w', zipfile.ZIP_DEFLATED)\nfor i in range(40): f.writestr(str(i), b'\\0' * (4 << 20))\nf.close()\nsave(z.getvalue())",
    ])
    func `a file that unpacks without end ends at its budget`(script: String) async throws {
        let (size, reason, bytes) = try await read(script)
        #expect(reason?.contains("it unpacks to more than") == true, "\(reason ?? "nothing")")
        #expect(bytes <= limit(size))
    }

    @Test func `members that overlap are charged each time`() async throws {
        // As of the zip bombs of Fifield (2019): one compressed block, and a list that names it again and again.
        let (size, reason, bytes) = try await read(
            """
            d = zlib.compressobj(9, zlib.DEFLATED, -15); data = d.compress(b'\\0' * (8 << 20)) + d.flush()
            local = struct.pack('<4s5H3L2H', b'PK\\3\\4', 20, 0, 8, 0, 0, zlib.crc32(b'\\0' * (8 << 20)), len(data), 8 << 20, 1, 0) + b'a'
            one = struct.pack('<4s6H3L5H2L', b'PK\\1\\2', 20, 20, 0, 8, 0, 0, zlib.crc32(b'\\0' * (8 << 20)), len(data), 8 << 20, 1, 0, 0, 0, 0, 0, 0)
            count = 1000
            central = (one + b'a') * count
            end = struct.pack('<4s4H2LH', b'PK\\5\\6', 0, 0, count, count, len(central), len(local) + len(data), 0)
            save(local + data + central + end)
            """)
        #expect(bytes <= limit(size), "\(reason ?? "all was read")")
    }

    @Test func `layers without end are named`() async throws {
        let (_, reason, _) = try await read("d = b'text' * 100\nfor i in range(40): d = gz([d])\nsave(d)")
        #expect(reason?.contains("nested more than 16 deep") == true, "\(reason ?? "nothing")")
    }

    @Test func `a member's hole is passed over`() async throws {
        let path = folder.path + "/sparse"
        _ = try await Command.run("/bin/sh", ["-ec", "cd \(folder.path); truncate -s 4T sparse; echo end >>sparse; tar czSf file sparse"])
        try FileManager.default.removeItem(atPath: path)
        let file = try #require(CorpusFile(folder.path + "/file"))
        var ends: [String: [UInt8]] = [:]
        var reader = CorpusReader(ChunkerStack(size: 1 << 20, overlap: 31) { unit, _, bytes in ends[unit] = Array(bytes.suffix(4)) })
        try reader.read(file)
        #expect(reader.bytesRead < 1 << 20)
        #expect(ends["\(folder.path)/file: sparse"] == Array("end\n".utf8))
    }

    @Test func `an ordinary file is far below its budget`() async throws {
        let (_, reason, bytes) = try await read("save(gz([b'\\0' * (1 << 20)] * 60))")
        #expect(reason == nil)
        #expect(bytes > 60 << 20)
    }
}
