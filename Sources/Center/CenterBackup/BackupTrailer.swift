// SPDX-License-Identifier: Apache-2.0

import Crypto

/// The end of a backup's file: it says where the manifest is. The store comes first, so that it is written once, in its place; what
/// else there is follows it, then the manifest, then this.
package struct BackupTrailer: Hashable, Sendable {
    static let magic = Array("EPITOPE BACKUP 1".utf8)
    static let byteCount = magic.count + 8 + 8 + SHA256.byteCount

    /// Where the manifest begins.
    var offset: Int64
    var manifest: Int64
    /// Of the manifest.
    var sha256: [UInt8]

    package init(offset: Int64, manifest bytes: [UInt8]) {
        self.offset = offset
        manifest = Int64(bytes.count)
        sha256 = Array(SHA256.hash(data: bytes))
    }

    /// - Returns: `nil` for other bytes than ``bytes`` gives.
    init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.byteCount, bytes.starts(with: Self.magic) else { return nil }
        func number(at place: Int) -> Int64 {
            Int64(bitPattern: bytes[place..<place + 8].reduce(0) { $0 << 8 | UInt64($1) })
        }
        offset = number(at: Self.magic.count)
        manifest = number(at: Self.magic.count + 8)
        sha256 = Array(bytes.suffix(SHA256.byteCount))
    }

    package var bytes: [UInt8] {
        Self.magic + [offset, manifest].flatMap { number in (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * Int64($0))) } }
            + sha256
    }

    /// Whether the manifest ends where the trailer begins.
    func fits(fileBytes: Int64) -> Bool {
        offset >= 0 && manifest >= 0 && offset <= fileBytes - Int64(Self.byteCount)
            && manifest == fileBytes - Int64(Self.byteCount) - offset
    }
}
