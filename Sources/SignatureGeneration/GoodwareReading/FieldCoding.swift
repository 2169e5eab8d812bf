// SPDX-License-Identifier: Apache-2.0

/// Writes numbers in little endian, and texts after their lengths.
package struct FieldWriter {
    package var bytes: [UInt8] = []

    package init() {}

    package mutating func number(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
    }

    /// Writes a number in as few bytes as possible, seven bits each, the lowest first (LEB128).
    package mutating func short(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    package mutating func text(_ value: String) {
        number(UInt32(value.utf8.count))
        bytes += value.utf8
    }

    /// Writes bytes after their number.
    package mutating func counted(_ value: [UInt8]) {
        short(UInt64(value.count))
        bytes += value
    }

    /// Writes bytes without the beginning that they have in common with others.
    package mutating func counted(_ value: [UInt8], after other: [UInt8]) {
        let shared = zip(value, other).prefix { $0 == $1 }.count
        short(UInt64(shared))
        counted(Array(value.dropFirst(shared)))
    }
}

/// Reads what ``FieldWriter`` wrote, never beyond the end.
package struct FieldReader {
    /// The bytes end before the fields do.
    package struct CutOff: Error {}

    package var bytes: UnsafeRawBufferPointer
    package var place = 0

    package init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    package mutating func number<Number: FixedWidthInteger>(_ type: Number.Type = Number.self) throws -> Number {
        let raw = try take(MemoryLayout<Number>.size)
        return Number(littleEndian: raw.loadUnaligned(as: Number.self))
    }

    package mutating func text() throws -> String {
        String(decoding: try take(Int(try number(UInt32.self))), as: UTF8.self)
    }

    package mutating func short() throws -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            let byte = try number(UInt8.self)
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        throw CutOff()
    }

    package mutating func counted() throws -> [UInt8] {
        guard let count = Int(exactly: try short()) else { throw CutOff() }
        return Array(try take(count))
    }

    package mutating func counted(after other: [UInt8]) throws -> [UInt8] {
        let shared = try short()
        guard shared <= UInt64(other.count) else { throw CutOff() }
        return Array(other.prefix(Int(shared))) + (try counted())
    }

    package mutating func take(_ count: Int) throws -> UnsafeRawBufferPointer {
        guard count >= 0, count <= bytes.count - place else { throw CutOff() }
        defer { place += count }
        return UnsafeRawBufferPointer(rebasing: bytes[place..<(place + count)])
    }
}
