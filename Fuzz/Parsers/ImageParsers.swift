// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Glibc
import ProcessInspection
import UnwindTables

extension FuzzParser {
    /// Program files, of which whoever runs them chooses every byte: headers, symbols, relocations of code, and pages of code that
    /// are compared with them.
    static let images = FuzzParser(
        name: "images", what: "program files: headers, symbols, packed ones, pages of code compared with them", dictionary: dictionary,
        hotPlaces: ImageSeeds.hotPlaces,
        seeds: { _ in ImageSeeds.all },
        run: { input, scratch in
            let file = FileBytes(input)
            _ = PackedExecutable(file)
            guard let image = ElfImage(file) else { throw Refusal("no-image") }
            if let reserved = image.reservedAddresses, (reserved.lowerBound | reserved.upperBound) & (MapEntry.pageSize - 1) != 0 {
                broken("a program reserves a part of a page")
            }
            _ = TextRelocations(image, file)
            let symbols = ElfSymbols(image, file)
            for name in ImageSeeds.names { _ = symbols.has(Array(name.utf8), at: ImageSeeds.codeAddress) }
            let path = try scratch.write(input, to: "image")
            try compare(input, path)
        })

    /// The tables of images by which stacks are followed.
    static let unwindTables = FuzzParser(
        name: "unwind-tables", what: "images of libraries: unwind tables, dynamic tables, what calls can enter", dictionary: dictionary,
        hotPlaces: ImageSeeds.hotPlaces,
        seeds: { _ in ImageSeeds.all },
        run: { input, _ in
            guard let headers = ImageHeaders(ofImage: input) else { throw Refusal("no-image") }
            if let dynamic = headers.dynamic { useDynamic(input, dynamic, headers) }
            for segment in headers.code.prefix(4) { useCode(bytes(of: input, at: segment.offset, upTo: 512), at: segment.address) }
            guard let layout = UnwindTable.layout(ofImage: input) else { throw Refusal("no-index") }
            let head = bytes(of: input, at: layout.index.offset, upTo: UnwindTable.indexHeadSize)
            guard let range = UnwindTable.range(of: layout, index: head),
                let table = UnwindTable(layout, bytes(of: input, at: range.offset, upTo: range.count), at: range.offset)
            else { throw Refusal("no-table") }
            for function in table.functions.prefix(64) {
                for address in [function.lowerBound, function.lowerBound &+ 5, function.upperBound &- 1] {
                    if let found = table.function(at: address), !found.range.contains(address) {
                        broken("a function is found outside of its range")
                    }
                    _ = (table.frameEnd(afterSystemCallAt: address), table.frameSize(afterSystemCallAt: address))
                    _ = table.function(afterSystemCallAt: address)
                }
            }
        })

    private static let dictionary: [[UInt8]] = [
        [0x7f, 0x45, 0x4c, 0x46], [0, 0, 0, 0], [0xff, 0xff, 0xff, 0xff], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], [0, 0, 0, 0, 0, 0, 0, 0x80], [0xf5, 0xfe, 0xff, 0x6f],
        [0, 0x10, 0, 0, 0, 0, 0, 0],
        [0x50, 0xe5, 0x74, 0x64], [1, 0, 0, 0, 5, 0, 0, 0], [0x16, 0, 0, 0, 0, 0, 0, 0], [0x0c, 7, 8], [0x0e, 0x80, 0x80, 0x80, 1], [0x0f],
        [0x0a], [0x0b], [0xff, 0x15], [0xff, 0x25], [0xe8], [0xe9], [1, 0x1b, 3, 0x3b],
    ]

    /// Compares pages of the file's code with what a process that loaded it could have there, by a mapping that is made up.
    private static func compare(_ input: [UInt8], _ path: String) throws {
        let file = try FileDescriptor(path, O_RDONLY)
        guard let identity = MappedFileIdentity(file.number) else { throw Refusal("no-identity") }
        let base: UInt64 = 0x7f00_0000_0000
        let page = Int(MapEntry.pageSize)
        // What the file has, changed here and there, and a page of memory behind it.
        var loaded = input + [UInt8](repeating: 0, count: page - input.count % page + page)
        for place in stride(from: 0, to: loaded.count, by: 97) { loaded[place] ^= 0xcc }
        let entry = MapEntry(
            start: base, end: base + UInt64(loaded.count - page), protection: [.read, .execute], offset: 0,
            device: .init(major: identity.deviceMajor, minor: identity.deviceMinor), inode: identity.inode, name: path)
        let anonymous = MapEntry(
            start: entry.end, end: entry.end + MapEntry.pageSize, protection: [.read, .execute], offset: 0,
            device: .init(major: 0, minor: 0), inode: 0, name: "")
        let memory = FileBytes(loaded)
        let process = ImagePages.Process(
            id: getpid(),
            memory: FileBytes { address, count in address >= base ? memory.read(address - base, count) : nil },
            mapping: { address in [entry, anonymous].first { $0.contains(address) } })
        let pages = ImagePages()
        for place in stride(from: base + 2, to: entry.end, by: 2 * page) {
            guard let found = pages.comparison(ofInstructionEndingAt: place, in: entry, of: process) else { continue }
            if found.isImage != (found.firstUnexplained == nil) { broken("what is not explained has no place") }
            _ = found.description
        }
        _ = pages.comparison(ofCopiedInstructionEndingAt: anonymous.start + 8, in: anonymous, of: process)
    }

    private static func useDynamic(_ input: [UInt8], _ section: UnwindTable.Segment, _ headers: ImageHeaders) {
        let tables = DynamicTables(bytes(of: input, at: section.offset, upTo: min(Int(clamping: section.size), 1 << 20)))
        func loaded(_ address: UInt64, _ count: UInt64) -> [UInt8] {
            headers.fileOffset(of: address).map { bytes(of: input, at: $0, upTo: Int(min(count, DynamicSymbols.maxSize))) } ?? []
        }
        let hash = loaded(tables.gnuHash, DynamicSymbols.maxSize)
        let count = DynamicSymbols.count { place in Int(exactly: place).flatMap { hash.integer(UInt32.self, at: $0) } }
        let size = (count ?? 16).multipliedReportingOverflow(by: UInt64(DynamicTables.symbolSize))
        let symbols = DynamicSymbols(
            symbols: loaded(tables.symbols, size.overflow ? .max : size.partialValue), names: loaded(tables.names, tables.namesSize))
        for address in symbols.addresses().sorted().prefix(32) {
            if let name = symbols.name(at: address) { _ = symbols.addresses(named: Array(name.utf8)) }
        }
        for table in [loaded(tables.jumpRelocations, tables.jumpRelocationsSize), loaded(tables.relocations, tables.relocationsSize)] {
            for place in stride(from: 0, to: min(table.count, 2400), by: DynamicTables.relocationSize) {
                guard let slot = table.integer(UInt64.self, at: place) else { continue }
                _ = DynamicTables.content(ofSlot: slot, in: table)
            }
        }
    }

    private static func useCode(_ code: [UInt8], at address: UInt64) {
        let (end, overflow) = address.addingReportingOverflow(UInt64(code.count))
        guard !overflow else { return }
        let jumps = FunctionJumps(in: code, at: address, of: address..<end)
        if jumps.far.contains(where: { (address..<end).contains($0) }) { broken("a jump that stays is said to leave") }
        for length in 0...min(code.count, 64) {
            let before = Array(code.prefix(length))
            _ = CallForm.readings(of: before, endingAt: address &+ UInt64(length))
            _ = FunctionJumps.slot(ofStub: Array(code.dropFirst(length)), at: address &+ UInt64(length))
            _ = FunctionJumps.isUnresolvedStub(Array(code.dropFirst(length)))
        }
    }

    private static func bytes(of input: [UInt8], at offset: UInt64, upTo count: Int) -> [UInt8] {
        guard let start = Int(exactly: offset), start < input.count else { return [] }
        return Array(input[start...].prefix(count))
    }
}
