// SPDX-License-Identifier: Apache-2.0

/// Reads little-endian values from untrusted bytes: `nil` where they end too early.
struct ByteReader {
    private let bytes: UnsafeRawBufferPointer
    private(set) var position: Int
    let end: Int

    /// Reads from `start` up to `end`; both are clamped to the bytes.
    init(_ bytes: UnsafeRawBufferPointer, from start: Int, to end: Int) {
        self.bytes = bytes
        self.end = max(0, min(end, bytes.count))
        position = max(0, min(start, self.end))
    }

    var isAtEnd: Bool { position >= end }

    mutating func integer<Value: FixedWidthInteger>(_: Value.Type = Value.self) -> Value? {
        let size = MemoryLayout<Value>.size
        guard end - position >= size else { return nil }
        defer { position += size }
        return Value(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: Value.self))
    }

    /// An unsigned LEB128 number; `nil` also if it doesn't fit in 64 bits.
    mutating func unsigned() -> UInt64? {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while shift < 64, let byte = integer(UInt8.self) {
            let part = UInt64(byte & 0x7F)
            guard (part << shift) >> shift == part else { return nil }
            value |= part << shift
            if byte & 0x80 == 0 { return value }
            shift += 7
        }
        return nil
    }

    /// A signed LEB128 number.
    mutating func signed() -> Int64? {
        var value: Int64 = 0
        var shift: Int64 = 0
        while shift < 64, let byte = integer(UInt8.self) {
            value |= Int64(byte & 0x7F) << shift
            shift += 7
            if byte & 0x80 == 0 {
                return shift < 64 && byte & 0x40 != 0 ? value | (-1 << shift) : value
            }
        }
        return nil
    }

    mutating func skip(_ count: UInt64) -> Bool {
        guard count <= UInt64(end - position) else { return false }
        position += Int(count)
        return true
    }
}
