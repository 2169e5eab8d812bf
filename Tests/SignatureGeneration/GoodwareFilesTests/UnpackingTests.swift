// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Foundation
import GoodwareFiles
import GoodwareReading
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
        "lz4 -q text text.lz4 && rm text", "xz --format=lzma text", "bsdtar --lzip -cf text.tar.lz text && rm text",
        "bsdtar -Z -cf text.tar.Z text && rm text", "bsdtar --format=7zip -cf text.7z text && rm text",
        "bsdtar --format=iso9660 -cf text.iso text && rm text", "bsdtar --format=xar -cf text.xar text && rm text",
        "bsdtar --format=newc -czf text.cpio.gz text && rm text",
        // What is packed in what only stores: today's Docker images, sources in a tree of archives.
        "gzip text && tar cf text.tar text.gz && rm text.gz", "gzip text && bsdtar --format=newc -cf text.cpio text.gz && rm text.gz",
        "gzip text && bsdtar --format=iso9660 -cf text.iso text.gz && rm text.gz", "gzip text && ar rc libtext.a text.gz && rm text.gz",
        // A 7-Zip archive is read from its end: inside of another, too.
        "bsdtar --format=7zip -cf text.7z text && tar czf text.tar.gz text.7z && rm text text.7z",
        // Deeper than anything real.
        "for i in 1 2 3 4 5 6; do tar czf t.tgz text && mv t.tgz text; done; mv text deep",
        "for i in 1 2 3 4; do zip -q t.zip text && mv t.zip text && gzip -n text && mv text.gz text; done; mv text deep",
        // Compressed again and again, and in pieces.
        "gzip -c text | gzip -c | gzip -c >c && rm text",
        "head -c 9000 text | gzip >a && tail -c +9001 text | gzip >b && cat a b >c && rm text a b",
        // An initial file system of Linux: a plain archive, and a compressed one behind it.
        "echo x >early && bsdtar --format=newc -cf early.cpio early && bsdtar --format=newc --zstd -cf main.cpio.zst text"
            + " && cat early.cpio main.cpio.zst >initrd.img && rm text early *cpio*",
        "echo x >early && tar cf a.tar early && gzip text && tar cf b.tar text.gz && cat a.tar b.tar >ab.tar && rm a.tar b.tar early text.gz",
        // Archives behind programs.
        "zip -q t.zip text && (echo '#!/bin/sh'; echo exit; cat t.zip) >run && rm t.zip text",
        "zip -q t.zip text && cat /bin/true t.zip >setup && rm t.zip text",
        "zip -q t.zip text && echo a comment | zip -qz t.zip && (echo '#!/bin/sh'; echo exit; cat t.zip) >run && rm t.zip text",
        // What is packed behind scripts and programs, also in packages of these.
        "tar czf t.tgz text && (echo '#!/bin/sh'; echo exit; cat t.tgz) >run && rm t.tgz text",
        "xz text && (echo '#!/bin/sh'; cat text.xz) >run && rm text.xz && tar cJf run.tar.xz run && rm run",
        "gzip text && tar cf t.tar text.gz && (echo '#!/bin/sh'; cat t.tar) >run && rm t.tar text.gz",
        "zstd -q --rm text && cat /bin/true text.zst >app && rm text.zst",
        "zstd -q --rm text && (cat /bin/true; head -c 3000 /dev/zero; cat text.zst) >app && rm text.zst && tar czf app.tgz app && rm app",
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

    /// Installers that unpack themselves.
    @Test(arguments: ["bsdtar --format=7zip -cf packed text", "gzip -c text >packed", "zip -q packed.zip text && mv packed.zip packed"])
    func `what is packed behind a program of Windows is read`(command: String) async throws {
        let folder = try TemporaryFolder()
        let corpus = try folder.makeFolder("corpus")
        let text = text(8)
        try write(text, folder.path + "/text")
        _ = try await Command.run("/bin/sh", ["-ec", "cd \(folder.path); \(command)"])
        let packed = [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder.path + "/packed")))
        try write(WindowsFile.program + packed, corpus + "/setup.exe")
        #expect(try isKnown(text, in: folder))
        _ = try await Command.run("/bin/sh", ["-ec", "cd \(corpus); tar czf a.tgz setup.exe; rm setup.exe"])
        #expect(try isKnown(text, in: folder))
    }

    @Test func `a package's payload is found behind its headers`() async throws {
        let folder = try TemporaryFolder()
        let corpus = try folder.makeFolder("corpus")
        let text = text(5)
        try write(text, folder.path + "/text")
        _ = try await Command.run("/bin/sh", ["-ec", "cd \(folder.path); bsdtar --format=newc -cJf payload text"])
        // The lead, then the signature's header and the package's, each with an index without entries (rpm's format, version 3).
        let lead: [UInt8] = [0xed, 0xab, 0xee, 0xdb, 3, 0] + [UInt8](repeating: 0, count: 72) + [0, 5] + [UInt8](repeating: 0, count: 16)
        let header: [UInt8] = [0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        let payload = [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder.path + "/payload")))
        try write(lead + header + header + payload, corpus + "/a.rpm")
        #expect(try isKnown(text, in: folder))
    }

    @Test func `what is packed in an archive is known packed, too`() async throws {
        let folder = try TemporaryFolder()
        let corpus = try folder.makeFolder("corpus")
        try write(text(6), corpus + "/text")
        _ = try await Command.run("/bin/sh", ["-ec", "cd \(corpus); gzip -n text; cp text.gz ..; tar czf a.tgz text.gz; rm text.gz"])
        #expect(try isKnown([UInt8](try Data(contentsOf: URL(fileURLWithPath: folder.path + "/text.gz"))), in: folder))
        #expect(try isKnown(text(6), in: folder))
    }

    @Test func `compressed sections of programs in packages are indexed`() async throws {
        let folder = try TemporaryFolder()
        let corpus = try folder.makeFolder("corpus")
        let text = text(7)
        try write(text, folder.path + "/text")
        _ = try await Command.run("/bin/sh", ["-ec", "cd \(folder.path); zstd -qk text"])
        let packed = [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder.path + "/text.zst")))
        try write(ElfFile.bytes([(0, []), ElfFile.compressed(kind: 2, size: text.count, packed)]), corpus + "/program")
        _ = try await Command.run("/bin/sh", ["-ec", "cd \(corpus); tar cJf a.tar.xz program; rm program"])
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
        #expect(summary.skipped.map(\.path.description) == [corpus + "/program"])
        // What was skipped is tried again.
        #expect(try GoodwareBuilder.update(folder.path + "/index").files == 1)
    }
}
