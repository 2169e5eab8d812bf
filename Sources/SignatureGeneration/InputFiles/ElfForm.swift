// SPDX-License-Identifier: Apache-2.0

/// The word size and the byte order of an ELF file (System V ABI, "ELF Header"), and how its numbers are read.
public struct ElfForm: Hashable, Sendable {
    /// `ET_CORE`.
    static let coreType = 4

    public var is64: Bool
    public var isLittle: Bool

    /// - Parameter head: the file's beginning.
    /// - Returns: `nil` if it is not the whole header of an ELF file.
    public init?(_ head: [UInt8]) {
        guard head.count >= 52, head.starts(with: [0x7f, 0x45, 0x4c, 0x46]), [1, 2].contains(head[4]), [1, 2].contains(head[5]) else {
            return nil
        }
        is64 = head[4] == 2
        isLittle = head[5] == 1
        guard head.count >= headerBytes else { return nil }
    }

    /// In bytes: the length of the file's header.
    public var headerBytes: Int { is64 ? 64 : 52 }

    /// In bytes: the length of an address.
    public var wordBytes: Int { is64 ? 8 : 4 }

    /// A number of so many bytes; 0 where the bytes end before it does.
    public func number(_ bytes: [UInt8], at place: Int, _ count: Int) -> UInt64 {
        guard place >= 0, place <= bytes.count - count else { return 0 }
        var value: UInt64 = 0
        for index in 0..<count { value = value << 8 | UInt64(bytes[isLittle ? place + count - 1 - index : place + index]) }
        return value
    }

    /// A number of two bytes.
    public func half(_ bytes: [UInt8], at place: Int) -> Int { Int(number(bytes, at: place, 2)) }

    /// A number of four bytes.
    public func number32(_ bytes: [UInt8], at place: Int) -> UInt32 { UInt32(number(bytes, at: place, 4)) }

    /// A number as wide as an address.
    public func word(_ bytes: [UInt8], at place: Int) -> UInt64 { number(bytes, at: place, wordBytes) }
}
