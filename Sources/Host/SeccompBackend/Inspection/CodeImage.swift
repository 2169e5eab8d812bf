// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import ProcessInspection
import UnwindTables

/// An image's file, open, with what was read of it: its headers, unwind tables and links to other images.
///
/// Everything is read from the file, never from a process's memory: what a process wrote over its own copy must not be
/// believed, least of all for other processes.
final class CodeImage {
    /// How many call sites are remembered.
    static let maxSites = 1024
    /// How many pages are kept of it, for the paths that need them.
    private static let maxPages = 64
    /// How much of relocations is read at once, and of all, in bytes.
    private static let relocationsAtOnce = DynamicTables.relocationSize << 15
    private static let maxRelocations: UInt64 = 256 << 20
    /// The longest function that is looked at for a jump to another, in bytes.
    private static let maxPassingFunction = 1024
    /// The longest name of a symbol that is read, in bytes.
    private static let maxName = 1024

    /// A return address with the function that its call must have been able to enter.
    struct CallSite: Hashable {
        /// The return address, as an offset in this image's file.
        var place: UInt64
        /// The image of the function, and its first address (before relocation).
        var library: ImageTables.Key
        var function: UInt64
    }

    let key: ImageTables.Key
    let file: FileDescriptor
    let identity: FileIdentity
    /// How many names the file has.
    let links: Int
    let headers: ImageHeaders?
    /// Whether it is the dynamic loader, by its name.
    let isLoader: Bool
    /// How many bytes of tables are kept.
    private(set) var size = 0
    var lastUse: UInt64 = 0
    /// The functions at addresses in the file, and the calls that were checked.
    var functions: [UInt64: UnwindTable.Function?] = [:]
    var checks: [CallSite: EntryCheck.Result] = [:]
    private var requests: [UInt64: RequestedCall] = [:]

    private var loadedTable: UnwindTable??
    private var dynamic: DynamicTables??
    private var symbols: DynamicSymbols??
    private var namedEntries: [UInt64: Bool] = [:]
    private var slots: [UInt64: DynamicTables.SlotContent?] = [:]
    private var pages: [UInt64: CodePage] = [:]

    init(_ key: ImageTables.Key, _ file: FileDescriptor, _ status: FileStatus, isLoader: Bool) {
        self.key = key
        self.file = file
        identity = status.identity
        links = status.links
        self.isLoader = isLoader
        let header = try? DescriptorIO.bytes(file.number, at: 0, count: UnwindTable.maxHeaderSize)
        headers = header.flatMap { ImageHeaders(ofImage: $0) }
    }

    /// The unwind tables; `nil` if there are none.
    var table: UnwindTable? {
        if let loadedTable { return loadedTable }
        let found = loadTable()
        loadedTable = .some(found)
        return found
    }

    var isUnchanged: Bool { FileIdentity(file.number) == identity }

    /// A page of the file; `nil` where it can't be read, or isn't what it was.
    ///
    /// - Parameter place: in the file, where the page begins.
    func page(at place: UInt64) -> CodePage? {
        if let known = pages[place] { return known }
        guard let start = Int(exactly: place), let content = try? DescriptorIO.bytes(file.number, at: start, count: CodePage.size),
            !content.isEmpty, isUnchanged
        else { return nil }
        let page = CodePage(content)
        if pages.count >= Self.maxPages { pages.removeAll(keepingCapacity: true) }
        pages[place] = page
        return page
    }

    private func loadTable() -> UnwindTable? {
        let table = UnwindTable.read { try? DescriptorIO.bytes(file.number, at: $0, count: $1) }
        size += table?.byteCount ?? 0
        return table
    }

    /// The function whose instruction ends at a place in the file.
    func function(endingAt place: UInt64, isAfterSystemCall: Bool) -> UnwindTable.Function? {
        // A return address may be the first byte after its function: the instruction before it counts.
        let last = place - 1
        if let known = functions[last] { return known }
        let found = headers?.address(ofFileOffset: last).flatMap { address in
            isAfterSystemCall ? table?.function(afterSystemCallAt: address) : table?.function(at: address)
        }
        if functions.count >= Self.maxSites { functions.removeAll(keepingCapacity: true) }
        functions[last] = .some(found)
        return found
    }

    /// What the code right before a system call asks for.
    enum RequestedCall: Hashable {
        /// A critical call, or another one (`nil`).
        case call(CriticalCall?)
        /// The number comes from elsewhere.
        case unknown
    }

    /// The call that the instruction right before a system call asks for: `mov $number, %eax`.
    ///
    /// - Parameter place: in the file, right after the system call instruction.
    func requestedCall(endingAt place: UInt64) -> RequestedCall {
        if let known = requests[place] { return known }
        let start = place >= 9 ? Int(exactly: place - 9) : nil
        let bytes = start.flatMap { try? DescriptorIO.bytes(file.number, at: $0, count: 9) } ?? []
        var found = RequestedCall.unknown
        // mov imm32, %eax; mov imm32, %rax; then syscall
        if bytes.count == 9, bytes[7] == 0x0F, bytes[8] == 0x05,
            bytes[2] == 0xB8 || (bytes[0] == 0x48 && bytes[1] == 0xC7 && bytes[2] == 0xC0)
        {
            let number = bytes[3..<7].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            found = .call(SystemCallInterface.x86_64.notifiedCall(number: number))
        }
        if requests.count >= Self.maxSites { requests.removeAll(keepingCapacity: true) }
        requests[place] = found
        return found
    }
}

/// What lies at addresses, before relocation.
extension CodeImage {
    func bytes(at address: UInt64, count: Int) -> [UInt8] {
        guard let offset = headers?.fileOffset(of: address), let place = Int(exactly: offset) else { return [] }
        return (try? DescriptorIO.bytes(file.number, at: place, count: count)) ?? []
    }

    /// The bytes that end at an address.
    func bytes(endingAt address: UInt64, count: Int) -> [UInt8] {
        // A segment may begin less than that before.
        for count in stride(from: count, to: 1, by: -1) where address >= UInt64(count) {
            let found = bytes(at: address - UInt64(count), count: count)
            if found.count == count { return found }
        }
        return []
    }

    /// The functions that it defines for other images.
    func definedFunctions() -> DynamicSymbols? {
        if let symbols { return symbols }
        let found = loadSymbols()
        size += found?.size ?? 0
        symbols = .some(found)
        return found
    }

    /// Whether others can enter a library's function by a name: its own, or that of a function which passes its caller on to
    /// it by a jump. A program's functions are its own, whatever it exports.
    func isNamedEntry(_ range: Range<UInt64>) -> Bool {
        guard !isProgram else { return false }
        if let known = namedEntries[range.lowerBound] { return known }
        let functions = definedFunctions()?.addresses() ?? []
        let found =
            functions.contains { range.contains($0) }
            || functions.contains { address in
                guard let other = table?.function(at: address)?.range, other.count <= Self.maxPassingFunction else { return false }
                let jumps = FunctionJumps(in: bytes(at: other.lowerBound, count: other.count), at: other.lowerBound, of: other)
                return jumps.far.contains { range.contains($0) } || jumps.near.contains(range.lowerBound)
            }
        if namedEntries.count >= Self.maxSites { namedEntries.removeAll(keepingCapacity: true) }
        namedEntries[range.lowerBound] = found
        return found
    }

    private var isProgram: Bool { headers?.hasInterpreter == true && dynamicTables()?.hasName != true }

    /// The name of the symbol of a number.
    func symbolName(_ number: UInt32) -> [UInt8]? {
        guard let tables = dynamicTables() else { return nil }
        let symbol = bytes(at: tables.symbols &+ UInt64(number) * UInt64(DynamicTables.symbolSize), count: 4)
        guard symbol.count == 4 else { return nil }
        let offset = symbol.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard offset < tables.namesSize else { return nil }
        return Array(bytes(at: tables.names &+ offset, count: Self.maxName).prefix { $0 != 0 })
    }

    /// What the linker puts into a slot; `nil` where it puts nothing.
    func content(ofSlot slot: UInt64) -> DynamicTables.SlotContent? {
        if let known = slots[slot] { return known }
        var found: DynamicTables.SlotContent?
        if let tables = dynamicTables() {
            found =
                content(ofSlot: slot, tables.jumpRelocations, tables.jumpRelocationsSize)
                ?? content(ofSlot: slot, tables.relocations, tables.relocationsSize)
        }
        if slots.count >= Self.maxSites { slots.removeAll(keepingCapacity: true) }
        slots[slot] = .some(found)
        return found
    }

    private func content(ofSlot slot: UInt64, _ start: UInt64, _ size: UInt64) -> DynamicTables.SlotContent? {
        let size = min(size, Self.maxRelocations)
        var place: UInt64 = 0
        while place < size {
            let count = min(Int(size - place), Self.relocationsAtOnce)
            let relocations = bytes(at: start &+ place, count: count)
            if let found = DynamicTables.content(ofSlot: slot, in: relocations) { return found }
            guard relocations.count == count else { return nil }
            place += UInt64(count)
        }
        return nil
    }

    private func dynamicTables() -> DynamicTables? {
        if let dynamic { return dynamic }
        var found: DynamicTables?
        if let section = headers?.dynamic, section.size < 1 << 20, let place = Int(exactly: section.offset),
            let bytes = try? DescriptorIO.bytes(file.number, at: place, count: Int(section.size))
        {
            found = DynamicTables(bytes)
        }
        dynamic = .some(found)
        return found
    }

    private func loadSymbols() -> DynamicSymbols? {
        guard let tables = dynamicTables(), tables.namesSize <= DynamicSymbols.maxSize, let count = symbolCount(tables),
            count * UInt64(DynamicTables.symbolSize) <= DynamicSymbols.maxSize
        else { return nil }
        return DynamicSymbols(
            symbols: bytes(at: tables.symbols, count: Int(count) * DynamicTables.symbolSize),
            names: bytes(at: tables.names, count: Int(tables.namesSize)))
    }

    private func symbolCount(_ tables: DynamicTables) -> UInt64? {
        if tables.gnuHash != 0 {
            // Read at once: the table is some bytes a symbol.
            let table = bytes(at: tables.gnuHash, count: Int(DynamicSymbols.maxSize))
            return DynamicSymbols.count { offset in
                guard let place = Int(exactly: offset), place + 4 <= table.count else { return nil }
                return table.withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: place, as: UInt32.self)) }
            }
        }
        // DT_HASH: the numbers of buckets and of symbols.
        let head = tables.hash != 0 ? bytes(at: tables.hash, count: 8) : []
        guard head.count == 8 else { return nil }
        return head[4...].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    }
}
