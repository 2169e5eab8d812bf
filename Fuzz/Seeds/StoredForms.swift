// SPDX-License-Identifier: Apache-2.0

/// Compressed formats with stored bytes: valid, and made without a library.
enum StoredForms {
    /// zlib (RFC 1950) around one stored block of deflate (RFC 1951); at most 65,535 bytes.
    static func zlib(_ bytes: [UInt8]) -> [UInt8] {
        var (one, two): (UInt64, UInt64) = (1, 0)
        for byte in bytes {
            one = (one + UInt64(byte)) % 65521
            two = (two + one) % 65521
        }
        let length = UInt64(bytes.count)
        return [0x78, 1, 1] + ByteOrder.little(length, 2) + ByteOrder.little(~length, 2) + bytes + ByteOrder.big(two << 16 | one, 4)
    }

    /// One raw block of Zstandard (RFC 8878), its size in two bytes; 256 to 65,791 bytes.
    static func zstandard(_ bytes: [UInt8]) -> [UInt8] {
        [0x28, 0xb5, 0x2f, 0xfd, 0x60] + ByteOrder.little(UInt64(bytes.count - 256), 2)
            + ByteOrder.little(UInt64(bytes.count) << 3 | 1, 3) + bytes
    }
}
