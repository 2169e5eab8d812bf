// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// Core dumps for tests of what reads them: as the kernel writes them, with as little in them as they may have.
public struct CoreFile {
    /// A part of memory.
    public struct Region {
        public var start: UInt64
        public var bytes: [UInt8]
        /// In bytes: how much of it is in the core dump; `nil` for all.
        public var stored: Int?
        /// Of the letters r, w and x.
        public var rights: String
        public var file: String?

        public init(start: UInt64, bytes: [UInt8], stored: Int? = nil, rights: String = "rwx", file: String? = nil) {
            self.start = start
            self.bytes = bytes
            self.stored = stored
            self.rights = rights
            self.file = file
        }
    }

    /// A thread's number, next instruction, stack pointer and system call.
    public struct Thread {
        public var id: UInt32
        public var instruction: UInt64
        public var stackPointer: UInt64
        public var systemCall: Int32

        public init(id: UInt32, instruction: UInt64, stackPointer: UInt64, systemCall: Int32 = -1) {
            self.id = id
            self.instruction = instruction
            self.stackPointer = stackPointer
            self.systemCall = systemCall
        }
    }

    public var architecture = Architecture.x86_64
    public var regions: [Region] = []
    public var threads: [Thread] = []
    public var kernelPage: UInt64?
    public var hasFileList = true
    /// Whether the number of segments is where that of more than 65,534 is.
    public var manySegments = false

    public init() {}

    /// A process with an image, a stack, the kernel's page, and code in anonymous memory whose call at its end waits.
    public static func sample(_ architecture: Architecture, manySegments: Bool = false) -> CoreFile {
        var core = CoreFile()
        core.architecture = architecture
        core.manySegments = manySegments
        let call: [UInt8] =
            switch architecture {
            case .x86_64: [0xb8, 0x2a, 0, 0, 0, 0x0f, 0x05]
            case .x86_32: [0xb8, 0x6a, 1, 0, 0, 0xcd, 0x80]
            case .arm64: [0x68, 0x19, 0x80, 0xd2, 0x01, 0, 0, 0xd4]
            }
        let code = [UInt8](repeating: 0x90, count: architecture == .arm64 ? 0 : 41) + call
        let page = code + [UInt8](repeating: 0, count: 4096 - code.count)
        core.regions = [
            Region(start: 0x40_0000, bytes: [UInt8](repeating: 0xcc, count: 8192), stored: 0, rights: "rx", file: "/usr/bin/sample"),
            Region(start: 0x7000_0000, bytes: page),
            Region(start: 0x7f00_0000, bytes: [UInt8](repeating: 0, count: 4096), rights: "rw"),
            Region(start: 0x7fff_0000, bytes: [UInt8](repeating: 0xc3, count: 4096), rights: "rx"),
        ]
        core.kernelPage = 0x7fff_0000
        core.threads = [Thread(id: 4711, instruction: 0x7000_0000 + UInt64(code.count), stackPointer: 0x7f00_0800, systemCall: 42)]
        return core
    }

    private var is64: Bool { architecture != .x86_32 }
    private var word: Int { is64 ? 8 : 4 }

    /// The file.
    public var bytes: [UInt8] {
        let notes = threads.flatMap(status) + vector + (hasFileList ? files : [])
        let headerLength = is64 ? 64 : 52
        let segmentLength = is64 ? 56 : 32
        let segments = regions.count + 1
        let sections =
            manySegments
            ? [UInt8](repeating: 0, count: is64 ? 44 : 28) + little(UInt64(segments), 4) + [UInt8](repeating: 0, count: is64 ? 16 : 8) : []
        let sectionsAt = headerLength + segments * segmentLength
        var offset = sectionsAt + sections.count
        let machine: UInt64 = architecture == .x86_64 ? 62 : architecture == .x86_32 ? 3 : 183
        var file: [UInt8] = [0x7f, 0x45, 0x4c, 0x46, is64 ? 2 : 1, 1, 1] + [UInt8](repeating: 0, count: 9)
        file += little(4, 2) + little(machine, 2) + little(1, 4) + little(0, word) + little(UInt64(headerLength), word)
        file += little(manySegments ? UInt64(sectionsAt) : 0, word) + little(0, 4) + little(UInt64(headerLength), 2)
        file += little(UInt64(segmentLength), 2) + little(manySegments ? 0xffff : UInt64(segments), 2)
        file += little(is64 ? 64 : 40, 2) + little(manySegments ? 1 : 0, 2) + little(0, 2)
        file += segment(type: 4, flags: 0, offset: offset, start: 0, stored: notes.count, length: 0)
        offset += notes.count
        for region in regions {
            let stored = region.stored ?? region.bytes.count
            let flags =
                (region.rights.contains("r") ? 4 : 0) + (region.rights.contains("w") ? 2 : 0) + (region.rights.contains("x") ? 1 : 0)
            file += segment(type: 1, flags: flags, offset: offset, start: region.start, stored: stored, length: region.bytes.count)
            offset += stored
        }
        return file + sections + notes + regions.flatMap { $0.bytes.prefix($0.stored ?? $0.bytes.count) }
    }

    private func segment(type: UInt64, flags: Int, offset: Int, start: UInt64, stored: Int, length: Int) -> [UInt8] {
        let place = little(UInt64(offset), word) + little(start, word) + little(0, word)
        let size = little(UInt64(stored), word) + little(UInt64(length), word)
        return is64
            ? little(type, 4) + little(UInt64(flags), 4) + place + size + little(4096, word)
            : little(type, 4) + place + size + little(UInt64(flags), 4) + little(4096, word)
    }

    private func note(_ type: UInt64, _ contents: [UInt8]) -> [UInt8] {
        let padding = [UInt8](repeating: 0, count: (4 - contents.count % 4) % 4)
        return little(5, 4) + little(UInt64(contents.count), 4) + little(type, 4) + Array("CORE\0\0\0\0".utf8) + contents + padding
    }

    /// `struct elf_prstatus`.
    private func status(_ thread: Thread) -> [UInt8] {
        let (length, number, registers) =
            architecture == .x86_32 ? (144, 24, 72) : architecture == .x86_64 ? (336, 32, 112) : (392, 32, 112)
        // The places among the registers of the instruction, the stack pointer and the call.
        let places = architecture == .x86_32 ? (12, 15, 11) : architecture == .x86_64 ? (16, 19, 15) : (32, 31, 8)
        var contents = [UInt8](repeating: 0, count: length)
        contents.replaceSubrange(number..<number + 4, with: little(UInt64(thread.id), 4))
        func put(_ value: UInt64, _ place: Int) {
            let start = registers + place * word
            contents.replaceSubrange(start..<start + word, with: little(value, word))
        }
        put(thread.instruction, places.0)
        put(thread.stackPointer, places.1)
        put(UInt64(bitPattern: Int64(thread.systemCall)), places.2)
        return note(1, contents)
    }

    private var vector: [UInt8] {
        guard let kernelPage else { return [] }
        return note(6, little(33, word) + little(kernelPage, word) + little(0, word) + little(0, word))
    }

    private var files: [UInt8] {
        let mapped = regions.filter { $0.file != nil }
        let places = mapped.flatMap { little($0.start, word) + little($0.start + UInt64($0.bytes.count), word) + little(0, word) }
        let names = mapped.flatMap { (file: Region) -> [UInt8] in Array((file.file ?? "").utf8) + [0] }
        return note(0x4649_4c45, little(UInt64(mapped.count), word) + little(4096, word) + places + names)
    }

    private func little(_ value: UInt64, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
    }
}
