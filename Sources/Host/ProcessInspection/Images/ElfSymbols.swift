// SPDX-License-Identifier: Apache-2.0

/// The dynamic symbols of an ELF file, as far as relocations name them.
public struct ElfSymbols {
    struct Symbol {
        var nameOffset: UInt64
        var value: UInt64
        var isDefined: Bool
        var isWeak: Bool
        /// Its address is what a function of the image returns (STT_GNU_IFUNC).
        var isChosenAtRunTime: Bool
    }

    /// DT_STRTAB, DT_SYMTAB, DT_STRSZ and DT_GNU_HASH.
    private static let stringTable: UInt64 = 5
    private static let symbolTable: UInt64 = 6
    private static let stringSize: UInt64 = 10
    private static let gnuHash: UInt64 = 0x6FFF_FEF5
    /// The longest name that is read, and how many symbols of one hash are looked at.
    private static let maxName = 4096
    private static let maxChain = 4096

    private let image: ElfImage
    let file: FileBytes

    public init(_ image: ElfImage, _ file: FileBytes) {
        self.image = image
        self.file = file
    }

    func symbol(_ index: UInt32) -> Symbol? {
        let size: UInt64 = image.is64Bit ? 24 : 16
        guard let table = image.dynamic[Self.symbolTable].flatMap(image.fileOffset),
            let bytes = file.read(table &+ UInt64(index) * size, Int(size)),
            let name = bytes.integer(UInt32.self, at: 0), let section = bytes.integer(UInt16.self, at: image.is64Bit ? 6 : 14),
            let value = image.is64Bit ? bytes.word(at: 8, size: 8) : bytes.word(at: 4, size: 4)
        else { return nil }
        let information = bytes[image.is64Bit ? 4 : 12]
        return Symbol(
            nameOffset: UInt64(name), value: value, isDefined: section != 0, isWeak: information >> 4 == 2,
            isChosenAtRunTime: information & 15 == 10)
    }

    func name(of symbol: Symbol) -> [UInt8]? {
        guard let table = image.dynamic[Self.stringTable].flatMap(image.fileOffset), let size = image.dynamic[Self.stringSize],
            symbol.nameOffset < size
        else { return nil }
        let count = Int(min(size - symbol.nameOffset, UInt64(Self.maxName)))
        guard let bytes = file.read(table &+ symbol.nameOffset, count), let end = bytes.firstIndex(of: 0), end > 0 else { return nil }
        return Array(bytes[..<end])
    }

    /// Whether a symbol of this name has this address before relocation. A name may have several addresses: one for each version.
    public func has(_ wanted: [UInt8], at address: UInt64) -> Bool {
        defines(wanted) { !$0.isChosenAtRunTime && $0.value == address }
    }

    /// Whether a function of this name is chosen at run time.
    func hasChosenAtRunTime(_ wanted: [UInt8]) -> Bool { defines(wanted, where: \.isChosenAtRunTime) }

    /// Whether some defined symbol of this name is as wanted, by the table that the dynamic loader itself searches (DT_GNU_HASH).
    private func defines(_ wanted: [UInt8], where isWanted: (Symbol) -> Bool) -> Bool {
        guard let place = image.dynamic[Self.gnuHash].flatMap(image.fileOffset), let header = file.read(place, 16),
            let buckets = header.integer(UInt32.self, at: 0), let firstSymbol = header.integer(UInt32.self, at: 4),
            let filterWords = header.integer(UInt32.self, at: 8), buckets > 0
        else { return false }
        let hash = Self.hash(wanted)
        let table = place + 16 + UInt64(filterWords) * UInt64(image.wordSize)
        guard var index = file.integer(UInt32.self, at: table + 4 * UInt64(hash % buckets)), index >= firstSymbol else { return false }
        let chains = table + 4 * UInt64(buckets)
        for _ in 0..<Self.maxChain {
            guard let entry = file.integer(UInt32.self, at: chains + 4 * UInt64(index - firstSymbol)) else { return false }
            if entry | 1 == hash | 1, let symbol = symbol(index), symbol.isDefined, isWanted(symbol), name(of: symbol) == wanted {
                return true
            }
            guard entry & 1 == 0, index < .max else { return false }
            index += 1
        }
        return false
    }

    /// The hash of DT_GNU_HASH: Bernstein's, times 33 from 5381.
    private static func hash(_ name: [UInt8]) -> UInt32 {
        name.reduce(5381) { $0 &* 33 &+ UInt32($1) }
    }
}
