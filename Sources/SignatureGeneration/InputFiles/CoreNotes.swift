// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// The notes of a core dump: threads with their registers, mapped files, the auxiliary vector.
struct CoreNotes {
    private struct MappedFile {
        var start: UInt64
        var end: UInt64
        var path: String
    }

    /// Where the kernel's `struct elf_prstatus` (linux/elfcore.h) has a thread's number and registers, in bytes.
    private struct Registers {
        var thread: Int
        var instruction: Int
        var stackPointer: Int
        /// The system call's number: `orig_rax` and the like, which is negative outside of calls.
        var systemCall: Int
        var length: Int

        init(_ architecture: Architecture) {
            switch architecture {
            // 112 bytes before the registers; struct user_regs_struct (asm/user_64.h): orig_rax is the 16th, rip the 17th, rsp the 20th.
            case .x86_64: self.init(thread: 32, instruction: 112 + 128, stackPointer: 112 + 152, systemCall: 112 + 120, length: 336)
            // 72 bytes before; asm/user_32.h: orig_ax is the 12th, ip the 13th, sp the 16th.
            case .x86_32: self.init(thread: 24, instruction: 72 + 48, stackPointer: 72 + 60, systemCall: 72 + 44, length: 144)
            // 112 bytes before; asm/ptrace.h: x8 is the 9th, sp the 32nd, pc the 33rd.
            case .arm64: self.init(thread: 32, instruction: 112 + 256, stackPointer: 112 + 248, systemCall: 112 + 64, length: 392)
            }
        }

        private init(thread: Int, instruction: Int, stackPointer: Int, systemCall: Int, length: Int) {
            (self.thread, self.instruction, self.stackPointer) = (thread, instruction, stackPointer)
            (self.systemCall, self.length) = (systemCall, length)
        }
    }

    private(set) var threads: [CoreDump.Thread] = []
    private(set) var hasFileList = false
    /// The address of `[vdso]`.
    private(set) var kernelPage: UInt64?
    private var files: [MappedFile] = []
    private let architecture: Architecture
    private let form: ElfForm

    private static let statusType: UInt32 = 1
    private static let vectorType: UInt32 = 6
    private static let filesType: UInt32 = 0x4649_4c45
    /// `AT_SYSINFO_EHDR` of the auxiliary vector.
    private static let kernelPageEntry: UInt64 = 33
    /// How many threads and files are read.
    private static let maxEntries = 1 << 20
    /// In bytes: the longest path that is kept (PATH_MAX).
    private static let maxPathBytes = 4096

    init(architecture: Architecture, form: ElfForm) {
        self.architecture = architecture
        self.form = form
    }

    /// Adds the notes of one segment: the lengths of name and contents, the type, both padded to four bytes.
    mutating func add(_ segment: [UInt8]) {
        var place = 0
        while place + 12 <= segment.count {
            let (nameLength, length) = (Int(form.number32(segment, at: place)), Int(form.number32(segment, at: place + 4)))
            let type = form.number32(segment, at: place + 8)
            let start = place + 12 + (nameLength + 3) / 4 * 4
            guard start <= segment.count, length <= segment.count - start else { return }
            let name = segment[place + 12..<place + 12 + nameLength]
            if name.starts(with: "CORE\0".utf8) { add(Array(segment[start..<start + length]), type: type) }
            place = start + (length + 3) / 4 * 4
        }
    }

    private mutating func add(_ note: [UInt8], type: UInt32) {
        switch type {
        case Self.statusType: addThread(note)
        case Self.vectorType: addVector(note)
        case Self.filesType: addFiles(note)
        default: break
        }
    }

    private mutating func addThread(_ note: [UInt8]) {
        let places = Registers(architecture)
        // Programs of the x32 interface have registers of another size.
        guard note.count == places.length, form.wordBytes == architecture.wordSize, threads.count < Self.maxEntries else { return }
        // Bits beyond 32 are the sign.
        let call = Int32(truncatingIfNeeded: form.word(note, at: places.systemCall))
        threads.append(
            CoreDump.Thread(
                id: Int32(bitPattern: form.number32(note, at: places.thread)), instruction: form.word(note, at: places.instruction),
                stackPointer: form.word(note, at: places.stackPointer), systemCall: call < 0 ? nil : UInt32(call)))
    }

    private mutating func addVector(_ note: [UInt8]) {
        for place in stride(from: 0, to: note.count, by: 2 * form.wordBytes) where form.word(note, at: place) == Self.kernelPageEntry {
            kernelPage = form.word(note, at: place + form.wordBytes)
        }
    }

    /// The number of files and the size of a page; start, end and offset of each; then their paths, each with a zero byte.
    private mutating func addFiles(_ note: [UInt8]) {
        let word = form.wordBytes
        let table = 2 * word
        let count = form.word(note, at: 0)
        guard note.count >= table, count <= UInt64(min((note.count - table) / (3 * word), Self.maxEntries)) else { return }
        hasFileList = true
        var path = table + Int(count) * 3 * word
        for number in 0..<Int(count) {
            guard path < note.count else { return }
            let end = note[path...].firstIndex(of: 0) ?? note.endIndex
            let entry = table + number * 3 * word
            files.append(
                MappedFile(
                    start: form.word(note, at: entry), end: form.word(note, at: entry + word),
                    path: String(decoding: note[path..<min(end, path + Self.maxPathBytes)], as: UTF8.self)))
            path = end + 1
        }
        files.sort { $0.start < $1.start }
    }

    /// The path of the file that is mapped at an address.
    func file(at address: UInt64) -> String? {
        // The last one that begins at the address or before.
        var (low, high) = (0, files.count)
        while low < high {
            let middle = (low + high) / 2
            if files[middle].start <= address { low = middle + 1 } else { high = middle }
        }
        return low > 0 && address < files[low - 1].end ? files[low - 1].path : nil
    }
}
