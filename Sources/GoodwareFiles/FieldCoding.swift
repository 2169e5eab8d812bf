/// Writes numbers in little endian and texts with their length before them.
struct FieldWriter {
    var bytes: [UInt8] = []

    mutating func number(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
    }

    mutating func text(_ value: String) {
        number(UInt32(value.utf8.count))
        bytes += value.utf8
    }
}

/// Reads what ``FieldWriter`` wrote; never beyond the end.
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

    mutating func take(_ count: Int) throws -> UnsafeRawBufferPointer {
        guard count >= 0, count <= bytes.count - place else { throw CutOff() }
        defer { place += count }
        return UnsafeRawBufferPointer(rebasing: bytes[place..<(place + count)])
    }
}
