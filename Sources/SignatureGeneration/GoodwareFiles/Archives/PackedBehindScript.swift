// SPDX-License-Identifier: Apache-2.0

import GoodwareReading

/// Finds what is packed behind a script that unpacks it: an archive or compressed bytes, at the beginning of a line.
enum PackedBehindScript {
    /// In bytes: how much of a file is searched. Scripts that unpack themselves have some ten KiB.
    static let searchedBytes = 256 << 10
    /// In bytes: how much of a line decides; a tar archive's first header is so long.
    private static let headBytes = 512

    /// What files begin with that may stand here: bytes that no line of text begins with, and `B` and `7`.
    private static let firstBytes: Set<UInt8> = [0x02, 0x04, 0x1f, 0x28, 0x37, 0x42, 0xfd]
    private static let tarMagic = (place: 257, bytes: Array("ustar".utf8))

    /// The first place, and what begins there.
    static func first(in bytes: [UInt8]) -> (place: Int, kind: ContentKind)? {
        for place in bytes.indices.dropFirst() where bytes[place - 1] == 0x0a {
            guard firstBytes.contains(bytes[place]) || bytes[place...].dropFirst(tarMagic.place).starts(with: tarMagic.bytes) else {
                continue
            }
            let kind = ContentKind(Array(bytes[place...].prefix(headBytes)))
            if isCertain(kind) { return (place, kind) }
        }
        return nil
    }

    /// Other forms are told by two bytes, or by letters.
    private static func isCertain(_ kind: ContentKind) -> Bool {
        switch kind {
        case .compressed(.gzip), .compressed(.bzip2), .compressed(.xz), .compressed(.zstd), .compressed(.lz4), .archive(.tar),
            .archive(.sevenZip):
            true
        default: false
        }
    }
}
