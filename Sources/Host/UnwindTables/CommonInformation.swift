// SPDX-License-Identifier: Apache-2.0

/// What the functions of one compilation have in common: a common information entry (CIE) of `.eh_frame`.
struct CommonInformation {
    let program: FrameProgram
    let pointerEncoding: UInt8
    let hasAugmentation: Bool
    let instructions: ByteReader

    /// The longest augmentation that is read: four letters are defined.
    private static let maxAugmentation = 8

    /// Reads the entry at a place; `nil` if it is malformed, or of a form that isn't understood.
    init?(at place: Int, _ raw: UnsafeRawBufferPointer) {
        guard var reader = FrameRecord.reader(at: place, raw), reader.integer(UInt32.self) == 0,
            let version = reader.integer(UInt8.self), version == 1 || version == 3
        else { return nil }
        var letters: [UInt8] = []
        while let letter = reader.integer(UInt8.self), letter != 0 {
            guard letters.count < Self.maxAugmentation else { return nil }
            letters.append(letter)
        }
        guard let codeAlignment = reader.unsigned(), let dataAlignment = reader.signed(),
            let column = version == 1 ? reader.integer(UInt8.self).map({ UInt64($0) }) : reader.unsigned(),
            column == FrameProgram.returnAddress, let encoding = Self.pointerEncoding(letters, &reader)
        else { return nil }
        program = FrameProgram(codeAlignment: codeAlignment, dataAlignment: dataAlignment)
        pointerEncoding = encoding
        hasAugmentation = !letters.isEmpty
        instructions = reader
    }

    /// Reads the augmentation: how pointers are encoded.
    ///
    /// - Parameter letters: its text: `z` for its size, then `R` for the encoding, `L` for language-specific data, `P` for a
    ///   personality routine. `S` is refused: it marks a signal's frame, whose caller was interrupted and made no call.
    private static func pointerEncoding(_ letters: [UInt8], _ reader: inout ByteReader) -> UInt8? {
        guard let first = letters.first else { return PointerEncoding.absolute }
        guard first == UInt8(ascii: "z"), let size = reader.unsigned() else { return nil }
        var encoding = PointerEncoding.absolute
        let start = reader.position
        for letter in letters.dropFirst() {
            switch letter {
            case UInt8(ascii: "R"):
                guard let value = reader.integer(UInt8.self) else { return nil }
                encoding = value
            case UInt8(ascii: "L"): guard reader.skip(1) else { return nil }
            case UInt8(ascii: "P"):
                guard let own = reader.integer(UInt8.self), PointerEncoding.skip(&reader, encoding: own) else { return nil }
            default: return nil
            }
        }
        let read = UInt64(reader.position - start)
        guard read <= size, reader.skip(size - read) else { return nil }
        return encoding
    }
}

/// A record of `.eh_frame`.
enum FrameRecord {
    /// Lengths from here on mark the 64-bit form.
    private static let extendedLength: UInt32 = 0xFFFF_FFF0

    /// The record at a place, from after its length to its end; `nil` for the terminator and the 64-bit form.
    static func reader(at place: Int, _ raw: UnsafeRawBufferPointer) -> ByteReader? {
        guard place >= 0, place < raw.count else { return nil }
        var reader = ByteReader(raw, from: place, to: raw.count)
        guard let length = reader.integer(UInt32.self), length > 0, length < extendedLength,
            UInt64(length) <= UInt64(raw.count - reader.position)
        else { return nil }
        return ByteReader(raw, from: reader.position, to: reader.position + Int(length))
    }
}

/// Encodings of pointers (DW_EH_PE_*): a format in the low four bits, and in the high four what it is relative to.
enum PointerEncoding {
    static let absolute: UInt8 = 0x00
    static let formatMask: UInt8 = 0x0F
    private static let relativeToPlace: UInt8 = 0x10
    /// DW_EH_PE_udata4.
    static let unsigned4: UInt8 = 0x03
    /// DW_EH_PE_datarel with DW_EH_PE_sdata4.
    static let indexRelativeSigned4: UInt8 = 0x3B
    /// DW_EH_PE_pcrel with DW_EH_PE_sdata4.
    static let placeRelativeSigned4: UInt8 = 0x1B

    /// Reads a pointer: absolute, or relative to its own place.
    ///
    /// - Parameter base: the address of the first byte, before relocation.
    static func pointer(_ reader: inout ByteReader, _ encoding: UInt8, base: UInt64) -> UInt64? {
        let own = base &+ UInt64(reader.position)
        let value: UInt64?
        switch encoding & formatMask {
        // absptr, udata8, sdata8
        case 0x00, 0x04, 0x0C: value = reader.integer(UInt64.self)
        // udata2, udata4
        case 0x02: value = reader.integer(UInt16.self).map { UInt64($0) }
        case unsigned4: value = reader.integer(UInt32.self).map { UInt64($0) }
        // sdata2, sdata4
        case 0x0A: value = reader.integer(Int16.self).map { UInt64(bitPattern: Int64($0)) }
        case 0x0B: value = reader.integer(Int32.self).map { UInt64(bitPattern: Int64($0)) }
        default: return nil
        }
        switch encoding & ~formatMask {
        case absolute: return value
        case relativeToPlace: return value.map { $0 &+ own }
        default: return nil
        }
    }

    /// Skips a pointer whose value isn't needed.
    static func skip(_ reader: inout ByteReader, encoding: UInt8) -> Bool {
        pointer(&reader, encoding & formatMask, base: 0) != nil
    }
}
