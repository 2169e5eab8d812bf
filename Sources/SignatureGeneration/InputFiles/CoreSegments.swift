// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// The segments of a core dump, by its program headers.
struct CoreSegments {
    private(set) var regions: [CoreDump.Region] = []
    /// The contents of the segments of notes.
    private(set) var notes: [[UInt8]] = []
    private(set) var isCutShort = false

    private static let loadType: UInt32 = 1
    private static let noteType: UInt32 = 4
    /// How many headers are read at a time.
    private static let batch = 4096

    init(_ head: [UInt8], _ form: ElfForm, size: UInt64, read: CoreDump.Reader) throws(EpitopeError) {
        let table = form.word(head, at: form.is64 ? 32 : 28)
        let length = form.is64 ? 56 : 32
        guard form.half(head, at: form.is64 ? 54 : 42) == length, table >= UInt64(form.headerBytes), table < size else {
            throw CoreDump.malformed("it has no table of segments")
        }
        let count = Self.count(head, form, read)
        guard count <= CoreDump.maxSegments else {
            throw CoreDump.malformed("it has \(count) segments, at most \(CoreDump.maxSegments) are read")
        }
        var number = 0
        while number < count {
            let wanted = min(Self.batch, count - number)
            let offset = table + UInt64(number * length)
            guard offset < size, let headers = read(offset, wanted * length), headers.count >= length else {
                isCutShort = true
                return
            }
            for place in stride(from: 0, through: headers.count - length, by: length) {
                add(Array(headers[place..<place + length]), form, size: size, read: read)
            }
            if headers.count < wanted * length { isCutShort = true }
            number += wanted
        }
    }

    /// For more segments than 16 bits can count, their number is in the first section's header.
    private static func count(_ head: [UInt8], _ form: ElfForm, _ read: CoreDump.Reader) -> Int {
        let count = form.half(head, at: form.is64 ? 56 : 44)
        let sections = form.word(head, at: form.is64 ? 40 : 32)
        let length = form.is64 ? 64 : 40
        guard count == 0xffff, sections > 0, let first = read(sections, length), first.count == length else { return count }
        return Int(form.number32(first, at: form.is64 ? 44 : 28))
    }

    private mutating func add(_ header: [UInt8], _ form: ElfForm, size: UInt64, read: CoreDump.Reader) {
        let flags = form.number32(header, at: form.is64 ? 4 : 24)
        let offset = form.word(header, at: form.is64 ? 8 : 4)
        let start = form.word(header, at: form.is64 ? 16 : 8)
        let inFile = form.word(header, at: form.is64 ? 32 : 16)
        let inMemory = form.word(header, at: form.is64 ? 40 : 20)
        let stored = offset < size ? min(inFile, size - offset) : 0
        if stored < inFile { isCutShort = true }
        switch form.number32(header, at: 0) {
        case Self.loadType:
            let (end, overflow) = start.addingReportingOverflow(inMemory)
            guard !overflow, inMemory > 0 else { return }
            regions.append(
                CoreDump.Region(
                    start: start, end: end, isReadable: flags & 4 != 0, isWritable: flags & 2 != 0, isExecutable: flags & 1 != 0,
                    offset: offset, stored: min(stored, inMemory), file: nil, isKernels: false))
        case Self.noteType where stored > 0 && stored <= CoreDump.maxNoteBytes:
            if let note = read(offset, Int(stored)) { notes.append(note) }
        default: break
        }
    }
}
