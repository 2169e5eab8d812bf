// SPDX-License-Identifier: Apache-2.0

/// Where an image's dynamic section says that its symbols and relocations lie: addresses before relocation, sizes in bytes.
public struct DynamicTables: Equatable, Sendable {
    public var symbols: UInt64 = 0
    public var names: UInt64 = 0
    public var namesSize: UInt64 = 0
    public var hash: UInt64 = 0
    public var gnuHash: UInt64 = 0
    public var jumpRelocations: UInt64 = 0
    public var jumpRelocationsSize: UInt64 = 0
    public var relocations: UInt64 = 0
    public var relocationsSize: UInt64 = 0
    /// Whether it has a name that other images ask for it by (DT_SONAME): libraries do, programs don't.
    public var hasName = false

    /// The size of a symbol, in bytes.
    public static let symbolSize = 24
    /// The size of a relocation with addend, in bytes.
    public static let relocationSize = 24

    /// - Parameter section: the bytes of the dynamic section.
    public init(_ section: [UInt8]) {
        section.withUnsafeBytes { raw in
            var reader = ByteReader(raw, from: 0, to: raw.count)
            while let tag = reader.integer(Int64.self), let value = reader.integer(UInt64.self), tag != 0 {
                switch tag {
                case 2: jumpRelocationsSize = value
                case 4: hash = value
                case 5: names = value
                case 6: symbols = value
                case 7: relocations = value
                case 8: relocationsSize = value
                case 10: namesSize = value
                case 14: hasName = true
                case 23: jumpRelocations = value
                case 0x6FFF_FEF5: gnuHash = value
                default: break
                }
            }
        }
    }

    /// What the linker puts into a slot.
    public enum SlotContent: Equatable, Sendable {
        /// The address of a symbol, by its number.
        case symbol(UInt32)
        /// An address of the image itself, before relocation.
        case own(UInt64)
        /// What a function of the image returns when it is loaded.
        case chosenAtLoad
    }

    /// The relocation of a slot, if it is among the bytes of some relocations.
    public static func content(ofSlot slot: UInt64, in relocations: [UInt8]) -> SlotContent? {
        relocations.withUnsafeBytes { raw in
            var place = 0
            while place + relocationSize <= raw.count {
                defer { place += relocationSize }
                guard UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: place, as: UInt64.self)) == slot else { continue }
                let information = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: place + 8, as: UInt64.self))
                let addend = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: place + 16, as: UInt64.self))
                switch information & 0xFFFF_FFFF {
                // R_X86_64_64, GLOB_DAT and JUMP_SLOT, RELATIVE, IRELATIVE.
                case 1, 6, 7: return .symbol(UInt32(information >> 32))
                case 8: return .own(addend)
                case 37: return .chosenAtLoad
                default: return nil
                }
            }
            return nil
        }
    }
}

/// The functions that an image defines for others, by name.
public struct DynamicSymbols: Sendable {
    /// How much of an image is read of symbols, and of names, in bytes.
    public static let maxSize: UInt64 = 8 << 20

    private let symbols: [UInt8]
    private let names: [UInt8]

    public init(symbols: [UInt8], names: [UInt8]) {
        self.symbols = symbols
        self.names = names
    }

    /// How many bytes are kept.
    public var size: Int { symbols.count + names.count }

    /// The addresses (before relocation) of the functions of a name: one for each version.
    public func addresses(named name: [UInt8]) -> [UInt64] {
        guard !name.isEmpty else { return [] }
        var found: [UInt64] = []
        forEachFunction { text, address in
            if isEqual(name, at: text) { found.append(address) }
        }
        return found
    }

    /// The addresses of all functions.
    public func addresses() -> Set<UInt64> {
        var found: Set<UInt64> = []
        forEachFunction { _, address in found.insert(address) }
        return found
    }

    /// The name of a function that begins at an address; `nil` if none does.
    public func name(at address: UInt64) -> String? {
        var found: String?
        forEachFunction { text, start in
            guard found == nil, start == address, text < names.count else { return }
            found = String(decoding: names[text...].prefix { $0 != 0 }, as: UTF8.self)
        }
        return found
    }

    /// st_name, st_info, st_other, st_shndx, st_value, st_size. Defined functions (STT_FUNC, STT_GNU_IFUNC) are shown.
    private func forEachFunction(_ body: (Int, UInt64) -> Void) {
        symbols.withUnsafeBytes { raw in
            var place = 0
            while place + DynamicTables.symbolSize <= raw.count {
                defer { place += DynamicTables.symbolSize }
                let type = raw[place + 4] & 0xF
                guard type == 2 || type == 10, raw.loadUnaligned(fromByteOffset: place + 6, as: UInt16.self) != 0 else { continue }
                let name = UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: place, as: UInt32.self))
                body(Int(name), UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: place + 8, as: UInt64.self)))
            }
        }
    }

    private func isEqual(_ name: [UInt8], at place: Int) -> Bool {
        names.withUnsafeBytes { raw in
            guard place >= 0, place + name.count < raw.count, raw[place + name.count] == 0 else { return false }
            return raw[place..<place + name.count].elementsEqual(name)
        }
    }

    /// How many symbols a table has, by the hash table of GNU's linkers: its chains end with the last symbol.
    ///
    /// - Parameter read: reads a word of four bytes at an offset in the hash table; `nil` where there is none.
    public static func count(byGNUHash read: (UInt64) -> UInt32?) -> UInt64? {
        guard let buckets = read(0), let first = read(4), let bloom = read(8), buckets < 1 << 22, bloom < 1 << 22 else { return nil }
        let bucketsAt = 16 + UInt64(bloom) * 8
        var last: UInt32 = 0
        for bucket in 0..<UInt64(buckets) {
            guard let value = read(bucketsAt + bucket * 4) else { return nil }
            last = max(last, value)
        }
        guard last >= first, last > 0 else { return UInt64(first) }
        let chains = bucketsAt + UInt64(buckets) * 4
        while let value = read(chains + UInt64(last - first) * 4) {
            last += 1
            if value & 1 != 0 { return UInt64(last) }
            if UInt64(last) * UInt64(DynamicTables.symbolSize) > maxSize { return nil }
        }
        return nil
    }
}
