// SPDX-License-Identifier: Apache-2.0

/// The header of an ELF file, as far as it leads to the program headers (elf(5)).
struct ELFHeader {
    /// PT_LOAD, PT_DYNAMIC, PT_INTERP and PT_GNU_EH_FRAME.
    static let loadable: UInt32 = 1
    static let dynamic: UInt32 = 2
    static let interpreter: UInt32 = 3
    static let frameIndex: UInt32 = 0x6474_E550
    /// PF_X.
    static let executable: UInt32 = 1

    /// The file offset, and the number, of the program headers.
    let start: Int
    let count: UInt16

    /// The magic, then 64-bit (2) and little-endian (1).
    private static let identification: [UInt8] = [0x7F] + Array("ELF".utf8) + [2, 1]
    private static let size = 64
    /// EM_X86_64.
    private static let machine: UInt16 = 62
    /// The size of a program header.
    private static let programHeaderSize: UInt16 = 56
    /// The offsets of e_machine, e_phoff and e_phentsize, which e_phnum follows.
    private static let machineOffset = 18
    private static let programHeadersOffset = 32
    private static let programHeaderSizeOffset = 54

    init?(_ raw: UnsafeRawBufferPointer) {
        guard raw.count >= Self.size, raw.starts(with: Self.identification) else { return nil }
        var machine = ByteReader(raw, from: Self.machineOffset, to: raw.count)
        var place = ByteReader(raw, from: Self.programHeadersOffset, to: raw.count)
        var sizes = ByteReader(raw, from: Self.programHeaderSizeOffset, to: raw.count)
        guard machine.integer(UInt16.self) == Self.machine, let start = place.integer(UInt64.self), start < UInt64(raw.count),
            sizes.integer(UInt16.self) == Self.programHeaderSize, let count = sizes.integer(UInt16.self)
        else { return nil }
        self.start = Int(start)
        self.count = count
    }

    struct ProgramHeader {
        var type: UInt32
        var flags: UInt32
        var segment: UnwindTable.Segment
    }

    /// Reads a program header: type, flags, offset, address, physical address, size in the file, size in memory, alignment.
    static func programHeader(_ reader: inout ByteReader) -> ProgramHeader? {
        guard let type = reader.integer(UInt32.self), let flags = reader.integer(UInt32.self),
            let offset = reader.integer(UInt64.self), let address = reader.integer(UInt64.self), reader.skip(8),
            let size = reader.integer(UInt64.self), reader.skip(16)
        else { return nil }
        return ProgramHeader(type: type, flags: flags, segment: UnwindTable.Segment(offset: offset, address: address, size: size))
    }
}
