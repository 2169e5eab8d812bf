// SPDX-License-Identifier: Apache-2.0

/// A page of code as the file has it, with what the dynamic loader must have written there.
struct RelocatedPage {
    var bytes: [UInt8]
    /// How many relocations were applied.
    var relocations = 0

    /// What must be known of the process to check a relocation.
    struct Process {
        /// What is added to the file's addresses.
        var loadAddress: UInt64
        /// The process's memory.
        var memory: FileBytes
        /// Whether a symbol of this name has this address, or may have it if it is a function that is chosen at run time, in an
        /// image other than the page's own; where the loader wrote it.
        var isSymbol: (_ name: [UInt8], _ address: UInt64, _ place: Range<UInt64>) -> Bool
    }

    /// - Parameters:
    ///   - bytes: the file's page.
    ///   - address: where it is loaded.
    init(_ bytes: [UInt8], at address: UInt64, _ image: ElfImage, _ text: TextRelocations, _ symbols: ElfSymbols, _ process: Process) {
        self.bytes = bytes
        let start = address &- process.loadAddress
        guard start <= UInt64.max - UInt64(bytes.count) else { return }
        for relocation in text.touching(start..<start + UInt64(bytes.count)) {
            guard let kind = TextRelocations.kind(of: relocation.type, is64Bit: image.is64Bit),
                let value = Self.value(of: relocation, kind, image, symbols, process)
            else { continue }
            relocations += 1
            for index in 0..<kind.size {
                let place = Int64(bitPattern: relocation.address &- start) + Int64(index)
                if place >= 0, place < Int64(bytes.count) {
                    self.bytes[Int(place)] = UInt8(truncatingIfNeeded: value >> (8 * UInt64(index)))
                }
            }
        }
    }

    /// What the loader writes; `nil` where what stands there is no address of the symbol.
    private static func value(
        of relocation: TextRelocations.Relocation, _ kind: (value: TextRelocations.Value, size: Int), _ image: ElfImage,
        _ symbols: ElfSymbols, _ process: Process
    ) -> UInt64? {
        let place = process.loadAddress &+ relocation.address
        guard let addend = relocation.addend ?? implicitAddend(of: relocation, size: kind.size, image, symbols) else { return nil }
        if kind.value == .relative { return process.loadAddress &+ addend }
        guard let found = process.memory.read(place, kind.size)?.word(at: 0, size: kind.size) else { return nil }
        if kind.value == .chosen { return image.isCode(found &- process.loadAddress) ? found : nil }
        guard let symbol = symbols.symbol(relocation.symbol) else { return nil }
        // A narrow value is widened by its sign, unless addresses are as narrow.
        let wide = kind.size == 4 && image.is64Bit ? UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: found))) : found
        var address = wide &- addend &+ (kind.value == .toPlace ? place : 0)
        if !image.is64Bit { address &= 0xFFFF_FFFF }
        guard isAddress(address, writtenTo: place..<place &+ UInt64(kind.size), of: symbol, image, symbols, process) else { return nil }
        return found
    }

    private static func implicitAddend(
        of relocation: TextRelocations.Relocation, size: Int, _ image: ElfImage, _ symbols: ElfSymbols
    ) -> UInt64? {
        guard let offset = image.fileOffset(of: relocation.address) else { return nil }
        return symbols.file.read(offset, size)?.word(at: 0, size: size)
    }

    private static func isAddress(
        _ address: UInt64, writtenTo place: Range<UInt64>, of symbol: ElfSymbols.Symbol, _ image: ElfImage, _ symbols: ElfSymbols,
        _ process: Process
    ) -> Bool {
        if symbol.isDefined, symbol.isChosenAtRunTime {
            if image.isCode(address &- process.loadAddress) { return true }
            return symbols.name(of: symbol).map { process.isSymbol($0, address, place) } ?? false
        }
        // An undefined one may have a value, too: that of an entry of the program's which stands for a function elsewhere.
        if symbol.isDefined || symbol.value != 0, address == process.loadAddress &+ symbol.value { return true }
        if symbol.isWeak, !symbol.isDefined, address == 0 { return true }
        return symbols.name(of: symbol).map { process.isSymbol($0, address, place) } ?? false
    }
}
