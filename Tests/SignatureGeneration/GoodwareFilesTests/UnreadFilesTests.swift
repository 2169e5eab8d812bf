// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Foundation
import Glibc
import GoodwareIndex
import Signatures
import TestSupport
import Testing

@testable import GoodwareFiles
@testable import GoodwareReading

/// What an index doesn't know is said by it, and by what is proven with it.
@Suite("What was not read") struct UnreadFilesTests {
    private let folder: TemporaryFolder
    private let corpus: String

    init() throws {
        folder = try TemporaryFolder()
        corpus = try folder.makeFolder("corpus")
    }

    private func write(_ bytes: [UInt8], _ name: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: corpus + "/" + name))
    }

    private func build() throws -> GoodwareFile {
        _ = try GoodwareBuilder.build(sources: [corpus], output: folder.path + "/index")
        return try GoodwareFile(path: folder.path + "/index")
    }

    @Test(
        arguments: [
            ("a SquashFS image", Array("hsqs".utf8)), ("a QEMU disk image", [0x51, 0x46, 0x49, 0xfb]),
            ("an EROFS image", [UInt8](repeating: 0, count: 1024) + [0xe2, 0xe1, 0xf5, 0xe0]),
            ("an ext2, ext3 or ext4 image", [UInt8](repeating: 0, count: 1080) + [0x53, 0xef, 1, 0, 1, 0]),
            ("an XFS image", Array("XFSB\0\0".utf8)),
            ("an lzop file", [0x89, 0x4c, 0x5a, 0x4f, 0, 13, 10, 26, 10]),
            ("a VMware disk image", Array("KDMV".utf8)),
            ("a FAT image", [0xeb, 0x3c, 0x90] + [UInt8](repeating: 0, count: 51) + Array("FAT16   ".utf8)),
            ("an NTFS image", [0xeb, 0x52, 0x90] + Array("NTFS    ".utf8)),
            ("an encrypted volume (LUKS)", Array("LUKS".utf8) + [0xba, 0xbe]),
            ("a JFFS2 image", [0x85, 0x19, 3, 0x20]), ("a UBI image", Array("UBI#".utf8)),
            ("an Android sparse image", [0x3a, 0xff, 0x26, 0xed]),
            ("a disk image with partitions", [UInt8](repeating: 0, count: 512) + Array("EFI PART".utf8)),
            (
                "a disk image with partitions",
                [UInt8](repeating: 0, count: 446) + [0x80, 0, 0, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 0, 1, 0]
                    + [UInt8](repeating: 0, count: 48)
                    + [0x55, 0xaa]
            ),
            ("a btrfs image", [UInt8](repeating: 0, count: 0x10040) + Array("_BHRfS_M".utf8)),
            ("an lrzip file", Array("LRZI".utf8)), ("a Snappy file", [0xff, 6, 0, 0] + Array("sNaPpY".utf8)),
            ("a pack of Git", Array("PACK\0\0\0\u{2}".utf8)), ("a compound file", [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]),
        ] as [(String, [UInt8])])
    func `what is in a form that is not read is named with it`(form: String, magic: [UInt8]) throws {
        try write(magic + [UInt8](repeating: 7, count: 4000), "image")
        let unread = try build().unread
        #expect(unread.count == 1)
        #expect(unread.named.first?.path.description == corpus + "/image")
        #expect(unread.named.first?.reason == "it is \(form), which is not read: unpack it and add the folder")
    }

    @Test func `such an image in an archive is named, too`() async throws {
        try write(Array("hsqs".utf8) + [UInt8](repeating: 7, count: 4000), "image")
        _ = try await Command.run("/bin/sh", ["-ec", "cd \(corpus); tar czf a.tgz image; rm image"])
        let reason = try build().unread.named.first?.reason
        #expect(reason == "\(corpus)/a.tgz: image: it is a SquashFS image, which is not read: unpack it and add the folder")
    }

    /// By their last sector: the rest is compressed.
    @Test(arguments: [("koly", "an Apple disk image"), ("conectix", "a Virtual PC disk image")])
    func `disk images that are told by their end are named, in archives too`(magic: String, form: String) async throws {
        let image = [UInt8](repeating: 7, count: 300_000) + Array(magic.utf8) + [UInt8](repeating: 0, count: 512 - magic.utf8.count)
        try write(image, "disk")
        #expect(try build().unread.named.first?.reason == "it is \(form), which is not read: unpack it and add the folder")
        _ = try await Command.run("/bin/sh", ["-ec", "cd \(corpus); zip -qm a.zip disk"])
        let named = try build().unread.named
        #expect(named.count == 1 && named[0].reason.contains("disk: it is \(form), which is not read"), "\(named)")
        // Elsewhere in a file these bytes say nothing.
        try FileManager.default.removeItem(atPath: corpus + "/a.zip")
        try write(image + [1], "disk")
        #expect(try build().unread == .none)
    }

    @Test func `what begins a disk without partitions is no image`() throws {
        // The code that starts a machine, as boot loaders ship it.
        try write([0xeb, 0x63, 0x90] + [UInt8](repeating: 7, count: 443) + [UInt8](repeating: 0, count: 64) + [0x55, 0xaa], "boot.img")
        try write([UInt8](repeating: 7, count: 510) + [0x55, 0xaa] + [UInt8](repeating: 7, count: 600), "noise")
        #expect(try build().unread == .none)
    }

    @Test func `what an installer of Windows has in a form of its own is named`() throws {
        let nsis: [UInt8] = [0, 0, 0, 0, 0xef, 0xbe, 0xad, 0xde] + Array("NullsoftInst".utf8)
        for archive in [nsis, Array(";!@Install@!UTF-8!\n".utf8)] {
            try write(WindowsFile.program + archive + [UInt8](repeating: 7, count: 4000), "setup.exe")
            let reason = try build().unread.named.first?.reason
            #expect(reason?.contains("behind its end: it is an installer's archive") == true, "\(reason ?? "nothing")")
        }
        try write(WindowsFile.program, "plain.exe")
        try FileManager.default.removeItem(atPath: corpus + "/setup.exe")
        #expect(try build().unread == .none)
    }

    @Test func `an image behind a program is named`() async throws {
        try write(Array("hsqs".utf8) + [UInt8](repeating: 7, count: 4000), "image")
        _ = try await Command.run("/bin/sh", ["-ec", "cd \(corpus); cat /bin/true image >App; rm image"])
        #expect(try build().unread.named.first?.reason.contains("behind its end: it is a SquashFS image, which is not read") == true)
    }

    @Test func `an encrypted member is named, and the others are read`() async throws {
        try write([UInt8](repeating: 1, count: 4000), "secret")
        let text = (0..<4000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) }
        try write(text, "text")
        _ = try await Command.run("/bin/sh", ["-ec", "cd \(corpus); zip -qP word a.zip secret; zip -q a.zip text; rm secret text"])
        let file = try build()
        #expect(file.unread.count == 1)
        #expect(file.unread.named.first?.reason.contains("secret") == true)
        #expect(!file.index.absentWindows(in: text).contains(true))
    }

    @Test func `an update keeps what is still unread, and loses what was read`() throws {
        try write([UInt8](repeating: 1, count: 100), "plain")
        try write(Array("hsqs".utf8) + (0..<4000).map { UInt8(truncatingIfNeeded: $0 &* 7919 >> 4) }, "image")
        #expect(try build().unread.count == 1)
        for _ in 0..<12 { _ = try GoodwareBuilder.update(folder.path + "/index") }
        var file = try GoodwareFile(path: folder.path + "/index")
        #expect(file.unread.count == 1)
        // It is tried each time, and adds nothing.
        #expect(file.index.segments.count == 1)
        try FileManager.default.removeItem(atPath: corpus + "/image")
        _ = try GoodwareBuilder.update(folder.path + "/index")
        file = try GoodwareFile(path: folder.path + "/index")
        #expect(file.unread == .none)
    }

    @Test func `many are counted, and the first are named`() throws {
        for number in 1000..<1250 { try write(Array("hsqs".utf8), "image-\(number)") }
        let unread = try build().unread
        #expect(unread.count == 250)
        #expect(unread.named.map(\.path.description) == (1000..<1100).map { "\(corpus)/image-\($0)" })
        #expect(try GoodwareFile(path: folder.path + "/index").warning?.contains("250 of 250 files") == true)
        #expect(try GoodwareFile(path: folder.path + "/index").warning?.contains("nothing is proven") == true)
        #expect(unread.isTooMany(beside: 4749) && !unread.isTooMany(beside: 4751))
        #expect(UnreadFiles([]).isTooMany(beside: 0) == false)
    }

    @Test func `a search of the corpus says what it did not read`() throws {
        try write([UInt8](repeating: 1, count: 100), "plain")
        let sought = Signature(tokens: [.init(bytes: [1, 2, 3, 4]), .init(bytes: [4, 5, 6, 7], gap: 0...8)], context: .any)
        let file = try build()
        try write(Array("hsqs".utf8), "image")
        let summary = try CorpusSearch.run([sought], corpus: file)
        #expect(summary.findings == [.absent])
        #expect(summary.unread.count == 1 && summary.files == 1)
    }

    @Test func `files with names of any bytes are in the index`() throws {
        let text = (0..<4000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 5) }
        let place = try PathHandle(corpus)
        let name: [UInt8] = [0x63, 0x61, 0x66, 0xe9]
        let opened = openat(place.descriptor, name.map { CChar(bitPattern: $0) } + [0], O_WRONLY | O_CREAT, 0o600)
        #expect(Glibc.write(opened, text, text.count) == text.count)
        close(opened)
        let file = try build()
        #expect(file.unread == .none && file.fileCount == 1)
        #expect(!file.index.absentWindows(in: text).contains(true))
        // It is known by that name, and not read again.
        #expect(try GoodwareBuilder.update(folder.path + "/index").files == 0)
    }

    @Test func `a file that is written while it is read is read again, or named`() throws {
        try write([UInt8](repeating: 1, count: 3000), "log")
        for (writes, isNamed) in [(1, false), (9, true)] {
            var left = writes
            let path = corpus + "/log"
            var reader = CorpusReader(
                ChunkerStack(size: 1024, overlap: 31) { _, offset, _ in
                    guard offset == 0, left > 0 else { return }
                    left -= 1
                    let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
                    try handle.seekToEnd()
                    try handle.write(contentsOf: Data([2]))
                    try handle.close()
                })
            let file = try #require(CorpusFile(path))
            if isNamed {
                let skipped = #expect(throws: CorpusReader.Skipped.self) { try reader.read(file) }
                #expect(skipped?.reason == "it was written each time it was read")
            } else {
                try reader.read(file)
                #expect(reader.bytesRead == 6002)
            }
        }
    }
}
