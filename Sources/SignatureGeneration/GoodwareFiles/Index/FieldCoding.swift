// SPDX-License-Identifier: Apache-2.0

/// Writes numbers in little endian, and texts after their lengths.
struct FieldWriter {
    var bytes: [UInt8] = []

    mutating func number(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
    }

    /// Writes a number in as few bytes as possible, seven bits each, the lowest first (LEB128).
    mutating func short(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    mutating func text(_ value: String) {
        number(UInt32(value.utf8.count))
        bytes += value.utf8
    }

    /// Writes a text without the beginning that it has in common with another.
    mutating func text(_ value: String, after other: String) {
        let shared = zip(value.utf8, other.utf8).prefix { $0 == $1 }.count
        short(UInt64(shared))
        short(UInt64(value.utf8.count - shared))
        bytes += value.utf8.dropFirst(shared)
    }
}

/// Reads what ``FieldWriter`` wrote, never beyond the end.
struct FieldReader {
    /// The bytes end before the fields do.
    struct CutOff: Error {}

    var bytes: UnsafeRawBufferPointer
    var place = 0

    mutating func number<Number: FixedWidthInteger>(_ type: Number.Type = Number.self) throws -> Number {
        let raw = try take(MemoryLayout<Number>.size)
        return Number(littleEndian: raw.loadUnaligned(as: Number.self))
    }

    mutating func text() throws -> String {
        String(decoding: try take(Int(try number(UInt32.self))), as: UTF8.self)
    }

    mutating func short() throws -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            let byte = try number(UInt8.self)
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        throw CutOff()
    }

    mutating func text(after other: String) throws -> String {
        let (shared, more) = (try short(), try short())
        guard shared <= UInt64(other.utf8.count), let count = Int(exactly: more) else { throw CutOff() }
        return String(decoding: Array(other.utf8.prefix(Int(shared))) + Array(try take(count)), as: UTF8.self)
    }

    mutating func take(_ count: Int) throws -> UnsafeRawBufferPointer {
        guard count >= 0, count <= bytes.count - place else { throw CutOff() }
        defer { place += count }
        return UnsafeRawBufferPointer(rebasing: bytes[place..<(place + count)])
    }
}
