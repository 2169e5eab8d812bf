// SPDX-License-Identifier: Apache-2.0

import UnwindTables

/// Which functions of a C library may hand their caller on to another one, by jumps alone (`execv` to `execve`, or to its own
/// seldom part): the other one then returns to where the first one was called. By ``JumpScan``.
struct LibraryJumps {
    /// A function's entry, and a function that may return to its caller, as offsets in the file.
    struct Jump: Hashable {
        var from: UInt32
        /// 0: the first one jumps through a register or memory.
        var to: UInt32
    }

    private(set) var jumps: Set<Jump> = []
    /// The functions whose address is in the file's data or taken by its code, and those that they jump to: only these can be reached by a
    /// jump, or a call, through a register or memory.
    private(set) var pointedAt: Set<UInt32> = []

    /// How many functions one is followed through.
    private static let maxFollowed = 32
    static let maxJumps = 65536

    private let functions: [Function]

    private struct Function {
        var range: Range<Int>
        /// The functions that it jumps to.
        var next: Set<Int> = []
        var isIndirect = false
        /// Places in it, but for its first, that calls or jumps lead to.
        var entries: Set<Int> = []
    }

    /// - Parameter bytes: the library's file.
    init(_ bytes: [UInt8], _ table: UnwindTable) {
        var functions = table.functions.compactMap { range in
            table.layout.fileOffset(ofAddress: range.lowerBound).map { Function(range: $0..<$0 + range.count) }
        }.filter { $0.range.upperBound <= bytes.count && !$0.range.isEmpty }
        functions.sort { $0.range.lowerBound < $1.range.lowerBound }
        var reader = JumpReader(functions.map(\.range))
        bytes.withUnsafeBytes { raw in
            for index in functions.indices { reader.read(raw, function: index) }
            reader.readPointers(raw, table.layout)
        }
        for (index, found) in reader.found.enumerated() {
            functions[index].next = found.next
            functions[index].isIndirect = found.isIndirect
            functions[index].entries = reader.entries[index] ?? []
        }
        self.functions = functions
        for index in functions.indices where jumps.count < Self.maxJumps { add(index, isPointedAt: reader.pointedAt.contains(index)) }
    }

    /// Whether there was room for all.
    var isComplete: Bool { jumps.count < Self.maxJumps }

    private mutating func add(_ index: Int, isPointedAt: Bool) {
        var followed: Set<Int> = [index]
        var waiting = [index]
        while let function = waiting.popLast(), followed.count < Self.maxFollowed {
            for next in functions[function].next where followed.insert(next).inserted { waiting.append(next) }
        }
        let start = functions[index].range.lowerBound
        if isPointedAt { pointedAt.formUnion(followed.map { UInt32(functions[$0].range.lowerBound) }) }
        let isIndirect = !waiting.isEmpty || followed.contains { functions[$0].isIndirect }
        for entry in functions[index].entries.union([start]) {
            for other in followed where entry != functions[other].range.lowerBound {
                jumps.insert(Jump(from: UInt32(entry), to: UInt32(functions[other].range.lowerBound)))
            }
            if isIndirect { jumps.insert(Jump(from: UInt32(entry), to: 0)) }
        }
    }
}

/// Reads jumps, calls and taken addresses out of a library's code, by the indices of its functions.
private struct JumpReader {
    struct Found {
        var next: Set<Int> = []
        var isIndirect = false
    }

    private let ranges: [Range<Int>]
    private(set) var found: [Found]
    private(set) var entries: [Int: Set<Int>] = [:]
    private(set) var pointedAt: Set<Int> = []

    init(_ ranges: [Range<Int>]) {
        self.ranges = ranges
        found = Array(repeating: Found(), count: ranges.count)
    }

    private func function(at place: Int) -> Int? {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].lowerBound <= place { low = middle + 1 } else { high = middle }
        }
        return low > 0 && ranges[low - 1].contains(place) ? low - 1 : nil
    }

    /// - Parameter raw: the library's file, whose offsets stand for addresses: calls and jumps stay in its code.
    mutating func read(_ raw: UnsafeRawBufferPointer, function index: Int) {
        let range = ranges[index]
        JumpScan.read(raw, range, startingAt: 0) { reference in
            switch reference {
            case .call(let target):
                guard let target = Int(exactly: target), let other = function(at: target), ranges[other].lowerBound != target else {
                    return
                }
                entries[other, default: []].insert(target)
            case .jump(let target):
                guard let target = Int(exactly: target), !range.contains(target), let other = function(at: target) else { return }
                found[index].next.insert(other)
            case .shortJump(let target):
                guard let target = Int(exactly: target), !range.contains(target), let other = function(at: target),
                    ranges[other].lowerBound == target
                else { return }
                found[index].next.insert(other)
            case .slot: found[index].isIndirect = true
            case .indirect(let isSwitch): if !isSwitch { found[index].isIndirect = true }
            case .address(let target):
                guard let target = Int(exactly: target), let other = function(at: target), ranges[other].lowerBound == target else {
                    return
                }
                pointedAt.insert(other)
            }
        }
    }

    /// R_X86_64_RELATIVE, the number of relocations that add the load address to the word that follows it in the table.
    private static let relative: UInt64 = 8

    /// Functions whose address stands in the file's data, or is written there by a relocation. Symbol tables name all functions.
    mutating func readPointers(_ raw: UnsafeRawBufferPointer, _ layout: UnwindTable.Layout) {
        var indices: [UInt64: Int] = [:]
        for (index, range) in ranges.enumerated() {
            if let address = layout.address(ofFileOffset: UInt64(range.lowerBound)) { indices[address] = index }
        }
        let data = layout.segments.max { $0.address < $1.address }.map { Int($0.offset)..<Int($0.offset &+ $0.size) } ?? 0..<0
        var before: UInt64 = 0
        for place in stride(from: 0, to: raw.count - 7, by: 8) {
            let word = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: place, as: UInt64.self))
            if before == Self.relative || data.contains(place), let index = indices[word] { pointedAt.insert(index) }
            before = word
        }
    }
}
