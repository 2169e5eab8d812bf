// SPDX-License-Identifier: Apache-2.0

import GoodwareReading

/// Forms that hold files, and that nothing here reads: images of file systems and disks, and packers that libarchive doesn't know.
enum UnreadableForm {
    /// - Parameter head: the first ``ContentKind/headBytes``.
    /// - Returns: the form's name, for people; `nil` for any other contents.
    static func name(_ head: [UInt8]) -> String? {
        if let found = (systems + disks + packers).first(where: { ContentKind.holds(head, $0.magic, at: $0.place) }) { return found.name }
        if isExt(head) { return "an ext2, ext3 or ext4 image" }
        return isPartitioned(head) ? "a disk image with partitions" : nil
    }

    private typealias Form = (name: String, place: Int, magic: [UInt8])

    private static let systems: [Form] = [
        ("a SquashFS image", 0, Array("hsqs".utf8)), ("a SquashFS image", 0, Array("sqsh".utf8)),
        ("an XFS image", 0, Array("XFSB\0\0".utf8)), ("an EROFS image", 1024, [0xe2, 0xe1, 0xf5, 0xe0]),
        ("a cramfs image", 0, [0x45, 0x3d, 0xcd, 0x28]), ("an F2FS image", 1024, [0x10, 0x20, 0xf5, 0xf2]),
        ("a FAT image", 54, Array("FAT12   ".utf8)), ("a FAT image", 54, Array("FAT16   ".utf8)),
        ("a FAT image", 82, Array("FAT32   ".utf8)), ("an exFAT image", 3, Array("EXFAT   ".utf8)),
        ("an NTFS image", 3, Array("NTFS    ".utf8)), ("a UDF image", 32769, Array("BEA01".utf8)),
        ("an HFS+ image", 1024, Array("H+\0\u{4}".utf8)), ("an HFS+ image", 1024, Array("HX\0\u{5}".utf8)),
        ("an APFS image", 32, Array("NXSB".utf8)),
        // Nodes with clean marks, with entries, with inodes, and of padding, in the usual order of bytes.
        ("a JFFS2 image", 0, [0x85, 0x19, 1, 0xe0]), ("a JFFS2 image", 0, [0x85, 0x19, 2, 0xe0]),
        ("a JFFS2 image", 0, [0x85, 0x19, 3, 0x20]), ("a JFFS2 image", 0, [0x85, 0x19, 4, 0x20]),
        ("a UBI image", 0, Array("UBI#".utf8)), ("a UBIFS image", 0, [0x31, 0x18, 0x10, 0x06]),
        ("an encrypted volume (LUKS)", 0, Array("LUKS".utf8) + [0xba, 0xbe]),
    ]

    private static let disks: [Form] = [
        ("a QEMU disk image", 0, [0x51, 0x46, 0x49, 0xfb]), ("a QEMU disk image", 0, Array("QED\0".utf8)),
        ("a VMware disk image", 0, Array("KDMV".utf8)), ("a VMware disk image", 0, Array("COWD".utf8)),
        ("a Hyper-V disk image", 0, Array("vhdxfile".utf8)), ("a Virtual PC disk image", 0, Array("conectix".utf8)),
        ("a VirtualBox disk image", 64, [0x7f, 0x10, 0xda, 0xbe]), ("a disk image with partitions", 512, Array("EFI PART".utf8)),
        ("an Android sparse image", 0, [0x3a, 0xff, 0x26, 0xed]), ("a Windows image", 0, Array("MSWIM\0\0\0".utf8)),
    ]

    private static let packers: [Form] = [
        ("an lzop file", 0, [0x89, 0x4c, 0x5a, 0x4f, 0, 0x0d, 0x0a, 0x1a, 0x0a]), ("an lrzip file", 0, Array("LRZI".utf8)),
        ("a Snappy file", 0, [0xff, 6, 0, 0] + Array("sNaPpY".utf8)), ("an LZFSE file", 0, Array("bvx1".utf8)),
        ("an LZFSE file", 0, Array("bvx2".utf8)), ("an LZFSE file", 0, Array("bvxn".utf8)),
        ("a zchunk file", 0, [0, 0x5a, 0x43, 0x4b, 0x31]), ("a Pack200 archive", 0, [0xca, 0xfe, 0xd0, 0x0d]),
        ("a pack of Git", 0, Array("PACK\0\0\0".utf8)), ("a ZPAQ archive", 0, Array("7kSt".utf8)), ("a ZPAQ archive", 0, Array("zPQ".utf8)),
        ("an ARJ archive", 0, [0x60, 0xea]), ("an ACE archive", 7, Array("**ACE**".utf8)),
        ("a StuffIt archive", 0, Array("StuffIt ".utf8)), ("a zoo archive", 20, [0xdc, 0xa7, 0xc4, 0xfd]),
        ("a file of Microsoft's COMPRESS", 0, Array("SZDD".utf8) + [0x88, 0xf0, 0x27, 0x33]),
        ("a file of Microsoft's COMPRESS", 0, Array("KWAJ".utf8) + [0x88, 0xf0, 0x27, 0xd1]),
        // Behind Windows' programs that install something: NSIS's header may begin with zeros.
        ("an installer's archive (NSIS)", 0, [0xef, 0xbe, 0xad, 0xde] + Array("NullsoftInst".utf8)),
        ("an installer's archive (NSIS)", 4, [0xef, 0xbe, 0xad, 0xde] + Array("NullsoftInst".utf8)),
        ("an installer's archive (Inno Setup)", 0, Array("zlb\u{1a}".utf8)),
        ("an installer's archive (Inno Setup)", 0, Array("idska32\u{1a}".utf8)),
        ("an installer's archive (7-Zip)", 0, Array(";!@Install@!".utf8)),
        ("an installer's archive (7-Zip)", 3, Array(";!@Install@!".utf8)),
        // Windows' installers (msi) and old documents.
        ("a compound file", 0, [0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1]),
    ]

    /// The number of ext2, and behind it its state and what it does on errors (Linux, Documentation/filesystems/ext4/super.rst).
    private static func isExt(_ head: [UInt8]) -> Bool {
        guard ContentKind.holds(head, [0x53, 0xef], at: 1080) else { return false }
        return head.count > 1085 && head[1082] < 8 && head[1083] == 0 && (1...3).contains(head[1084]) && head[1085] == 0
    }

    /// A master boot record: four entries of 16 bytes, each with a state, a type, a start and a length, or all zeros.
    private static func isPartitioned(_ head: [UInt8]) -> Bool {
        guard ContentKind.holds(head, [0x55, 0xaa], at: 510) else { return false }
        let entries = (0..<4).map { head[446 + 16 * $0..<462 + 16 * $0] }
        let used = entries.filter { entry in entry.contains { $0 != 0 } }
        return !used.isEmpty
            && used.allSatisfy { entry in
                let start = entry.startIndex
                return entry[start] & 0x7f == 0 && entry[start + 4] != 0 && entry[(start + 8)..<(start + 12)].contains { $0 != 0 }
                    && entry[(start + 12)...].contains { $0 != 0 }
            }
    }
}

/// What tells a form far from its beginning, collected while its bytes go by.
final class FarBytes {
    private static let btrfs = (place: 0x10040, magic: Array("_BHRfS_M".utf8))
    private static let endings = [
        (name: "an Apple disk image", magic: Array("koly".utf8)), (name: "a Virtual PC disk image", magic: Array("conectix".utf8)),
    ]
    /// In bytes: these endings have a sector of their own.
    private static let endBytes = 512

    private var position = 0
    private var middle: [UInt8] = []
    private var end: [UInt8] = []

    func add(_ block: UnsafeRawBufferPointer) {
        let wanted = (Self.btrfs.place..<Self.btrfs.place + Self.btrfs.magic.count).clamped(to: position..<position + block.count)
        if !wanted.isEmpty { middle += block[wanted.lowerBound - position..<wanted.upperBound - position] }
        position += block.count
        end = (block.count < Self.endBytes ? Array(end.suffix(Self.endBytes - block.count)) : []) + block.suffix(Self.endBytes)
    }

    /// The form's name, for people, when all bytes have gone by; `nil` for any other contents.
    var form: String? { Self.form(middle, end) }

    /// The same for what can be read at any place.
    static func form(of source: ByteSource) -> String? {
        guard let size = source.seekableSize else { return nil }
        return form(
            source.bytes(at: UInt64(btrfs.place), count: btrfs.magic.count) ?? [],
            size < endBytes ? [] : source.bytes(at: UInt64(size - endBytes), count: endBytes) ?? [])
    }

    private static func form(_ middle: [UInt8], _ end: [UInt8]) -> String? {
        if middle == btrfs.magic { return "a btrfs image" }
        return end.count == endBytes ? endings.first { end.starts(with: $0.magic) }?.name : nil
    }
}
