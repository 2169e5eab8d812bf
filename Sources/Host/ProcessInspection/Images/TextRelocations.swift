// SPDX-License-Identifier: Apache-2.0

/// The relocations of an image's code that its file asks the dynamic loader for (DT_TEXTREL): what the loader writes into
/// pages of code, and what must stand there then.
///
/// Only kinds whose value can be checked count: sums of the load address or of a symbol's address, and the address of a function
/// that is chosen at run time (STT_GNU_IFUNC), which is any in the code of the image that chooses. A relocation of any other kind
/// explains nothing: the page differs.
public struct TextRelocations: Sendable {
    struct Relocation: Hashable, Sendable {
        /// Before relocation.
        var address: UInt64
        var type: UInt32
        var symbol: UInt32
        /// `nil`: it stands in the file at the address.
        var addend: UInt64?
    }

    /// What a relocation writes.
    enum Value: Hashable, Sendable {
        /// The load address plus the addend.
        case relative
        /// A symbol's address plus the addend.
        case absolute
        /// The same, less the address of the place.
        case toPlace
        /// What the function at the load address plus the addend returns: one of the image's own functions.
        case chosen
    }

    /// The most relocations that are read of a file.
    static let maxRelocations = 1 << 18

    /// DT_RELA and DT_RELASZ, DT_REL and DT_RELSZ.
    private static let rela: (table: UInt64, size: UInt64) = (7, 8)
    private static let rel: (table: UInt64, size: UInt64) = (17, 18)
    /// DT_RELR and DT_RELRSZ: addresses of relative relocations alone, packed.
    private static let relr: (table: UInt64, size: UInt64) = (36, 35)
    /// R_X86_64_RELATIVE and R_386_RELATIVE.
    private static let relativeType: UInt32 = 8
    /// DT_TEXTREL, DT_FLAGS, and DF_TEXTREL in the latter.
    private static let textRelocations: UInt64 = 22
    private static let flags: UInt64 = 30
    private static let textRelocationsFlag: UInt64 = 4

    /// By address; only those in executable segments.
    let relocations: [Relocation]

    /// `nil` for a file that doesn't ask for any.
    public init?(_ image: ElfImage, _ file: FileBytes) {
        let isAskedFor = image.dynamic[Self.textRelocations] != nil || (image.dynamic[Self.flags] ?? 0) & Self.textRelocationsFlag != 0
        guard isAskedFor else { return nil }
        var found: [Relocation] = []
        for (tags, hasAddend) in [(Self.rela, true), (Self.rel, false)] {
            guard let table = image.dynamic[tags.table].flatMap(image.fileOffset), let size = image.dynamic[tags.size] else { continue }
            let entrySize = image.wordSize * (hasAddend ? 3 : 2)
            let count = min(Int(clamping: size) / entrySize, Self.maxRelocations)
            guard let bytes = file.read(table, count * entrySize) else { continue }
            for index in 0..<count {
                guard let relocation = Self.relocation(bytes, at: index * entrySize, image, hasAddend: hasAddend),
                    image.isCode(relocation.address)
                else { continue }
                found.append(relocation)
            }
        }
        found += Self.packedAddresses(image, file).filter(image.isCode).map {
            Relocation(address: $0, type: Self.relativeType, symbol: 0, addend: nil)
        }
        relocations = found.sorted { $0.address < $1.address }
    }

    /// The addresses of DT_RELR: an even entry is one, an odd entry is a bitmap of which of the words behind the last are
    /// (gABI, "Relative Relocation Table").
    private static func packedAddresses(_ image: ElfImage, _ file: FileBytes) -> [UInt64] {
        guard let table = image.dynamic[relr.table].flatMap(image.fileOffset), let size = image.dynamic[relr.size] else { return [] }
        let word = image.wordSize
        let bitmap = UInt64(8 * word - 1)
        let count = min(Int(clamping: size) / word, maxRelocations / Int(bitmap))
        guard let bytes = file.read(table, count * word) else { return [] }
        var found: [UInt64] = []
        var next: UInt64 = 0
        for index in 0..<count {
            guard let entry = bytes.word(at: index * word, size: word) else { break }
            if entry & 1 == 0 {
                found.append(entry)
                next = entry &+ UInt64(word)
            } else {
                found += (0..<bitmap).filter { entry >> ($0 + 1) & 1 != 0 }.map { next &+ $0 &* UInt64(word) }
                next &+= bitmap &* UInt64(word)
            }
        }
        return found
    }

    private static func relocation(_ bytes: [UInt8], at place: Int, _ image: ElfImage, hasAddend: Bool) -> Relocation? {
        let size = image.wordSize
        guard let address = bytes.word(at: place, size: size), let information = bytes.word(at: place + size, size: size) else {
            return nil
        }
        let addend = hasAddend ? bytes.word(at: place + 2 * size, size: size) : nil
        return image.is64Bit
            ? Relocation(
                address: address, type: UInt32(truncatingIfNeeded: information), symbol: UInt32(information >> 32), addend: addend)
            : Relocation(address: address, type: UInt32(information & 0xFF), symbol: UInt32(information >> 8), addend: addend)
    }

    /// The relocations that touch addresses before relocation.
    func touching(_ addresses: Range<UInt64>) -> ArraySlice<Relocation> {
        // The widest is eight bytes.
        let from = addresses.lowerBound - min(7, addresses.lowerBound)
        var low = 0
        var high = relocations.count
        while low < high {
            let middle = (low + high) / 2
            if relocations[middle].address < from { low = middle + 1 } else { high = middle }
        }
        let end = relocations[low...].firstIndex { $0.address >= addresses.upperBound } ?? relocations.count
        return relocations[low..<end]
    }

    /// What a type of relocation writes, and how many bytes; `nil` for a type that isn't checked (the psABI's tables of
    /// relocation types).
    static func kind(of type: UInt32, is64Bit: Bool) -> (value: Value, size: Int)? {
        switch (is64Bit, type) {
        case (true, 8): (.relative, 8)  // R_X86_64_RELATIVE
        case (true, 1): (.absolute, 8)  // R_X86_64_64
        case (true, 10), (true, 11): (.absolute, 4)  // R_X86_64_32, R_X86_64_32S
        case (true, 2): (.toPlace, 4)  // R_X86_64_PC32
        case (true, 24): (.toPlace, 8)  // R_X86_64_PC64
        case (true, 37): (.chosen, 8)  // R_X86_64_IRELATIVE
        case (false, 8): (.relative, 4)  // R_386_RELATIVE
        case (false, 1): (.absolute, 4)  // R_386_32
        case (false, 2): (.toPlace, 4)  // R_386_PC32
        case (false, 42): (.chosen, 4)  // R_386_IRELATIVE
        default: nil
        }
    }
}
