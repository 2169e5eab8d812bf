// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// What a core dump (core(5)) tells of a process: its regions, the files behind them, and where its threads were.
///
/// Core dumps come from machines that were attacked: every number in them is checked, and memory is bounded.
public struct CoreDump: Sendable {
    /// A part of the process's memory: a segment of type `PT_LOAD`.
    public struct Region: Hashable, Sendable {
        public var start: UInt64
        /// The address after its last byte.
        public var end: UInt64
        public var isReadable: Bool
        public var isWritable: Bool
        public var isExecutable: Bool
        /// The place of its bytes in the core dump.
        public var offset: UInt64
        /// In bytes: how much of it the core dump holds, from its start.
        public var stored: UInt64
        /// The path of the file behind it, by the note `NT_FILE`.
        public var file: String?
        /// Whether it is the kernel's own page of code (`[vdso]`, `[vsyscall]`).
        public var isKernels: Bool

        /// Whether the file behind it, if there is one, exists in memory only, or was removed.
        public var isMemoryFile: Bool {
            guard let file else { return false }
            return file.hasPrefix("/memfd:") || file.hasSuffix(" (deleted)") || file.hasPrefix("/SYSV") || file.hasPrefix("/dev/zero")
        }

        /// Whether code in it belongs to no file on a disk.
        public var isUnbackedCode: Bool { isExecutable && !isKernels && (file == nil || isMemoryFile) }

        /// As in `/proc/PID/maps`: `rwx`.
        public var rights: String { "\(isReadable ? "r" : "-")\(isWritable ? "w" : "-")\(isExecutable ? "x" : "-")" }
    }

    /// A thread as it was when the core was dumped.
    public struct Thread: Hashable, Sendable {
        public var id: Int32
        /// The address of its next instruction: after a system call that it waits in.
        public var instruction: UInt64
        public var stackPointer: UInt64
        /// The number of the system call that it was in; `nil` if it was in none.
        public var systemCall: UInt32?
    }

    public let architecture: Architecture
    /// In the order of their addresses; none overlaps another.
    public let regions: [Region]
    public let threads: [Thread]
    /// Whether there is a list of mapped files. Without it nothing tells which code belongs to a file.
    public let hasFileList: Bool
    /// Whether the file ends before the memory that its headers promise.
    public let isCutShort: Bool

    /// How many segments of one core dump are read.
    static let maxSegments = 1 << 20
    /// In bytes: the longest segment of notes that is read. The kernel writes at most 16 MiB of file names, and a few KiB a thread.
    static let maxNoteBytes: UInt64 = 64 << 20

    /// Reads bytes of the file: fewer than asked for where it ends, `nil` where it can't be read.
    public typealias Reader = (_ offset: UInt64, _ count: Int) -> [UInt8]?

    /// - Parameter size: of the file, in bytes.
    /// - Throws: `core-malformed`.
    public init(size: UInt64, read: Reader) throws(EpitopeError) {
        guard let head = read(0, 64), let form = ElfForm(head), form.half(head, at: 16) == ElfForm.coreType else {
            throw Self.malformed("it does not begin like one")
        }
        let machine = form.half(head, at: 18)
        guard form.isLittle, let architecture = Self.architecture(machine) else {
            throw Self.malformed("its architecture (machine number \(machine)) is not one of x86-32, x86-64 and arm64")
        }
        let segments = try CoreSegments(head, form, size: size, read: read)
        var notes = CoreNotes(architecture: architecture, form: form)
        for note in segments.notes { notes.add(note) }
        self.architecture = architecture
        threads = notes.threads
        hasFileList = notes.hasFileList
        isCutShort = segments.isCutShort
        var regions: [Region] = []
        for var region in segments.regions.sorted(by: { $0.start < $1.start }) {
            // Memory does not overlap: of a forged dump each address has one region, and one content.
            if let last = regions.last, region.start < last.end { continue }
            region.file = notes.file(at: region.start)
            region.isKernels = region.start == notes.kernelPage || region.start >= 0xffff_ffff_ff60_0000
            regions.append(region)
        }
        self.regions = regions
    }

    /// The region that an address lies in; the address right after it counts as inside, as a caller's address may be there.
    public func region(ofCaller address: UInt64) -> Region? {
        address > 0 ? region(at: address - 1) : nil
    }

    private func region(at address: UInt64) -> Region? {
        // The last one that begins at the address or before.
        var (low, high) = (0, regions.count)
        while low < high {
            let middle = (low + high) / 2
            if regions[middle].start <= address { low = middle + 1 } else { high = middle }
        }
        return low > 0 && address < regions[low - 1].end ? regions[low - 1] : nil
    }

    /// The bytes of memory from an address on, as far as the core dump holds them in one region.
    public func bytes(at address: UInt64, count: Int, read: Reader) -> [UInt8] {
        guard let region = region(at: address), address - region.start < region.stored else { return [] }
        let room = region.stored - (address - region.start)
        return read(region.offset + (address - region.start), Int(min(UInt64(max(count, 0)), room))) ?? []
    }

    /// The code of regions that no file on a disk stands behind.
    public var unbackedCode: [Region] { regions.filter(\.isUnbackedCode) }

    /// Code of files that the dump holds as a whole: a private mapping is dumped so when somebody wrote to it, by the default of
    /// `/proc/PID/coredump_filter`. Empty where all of them are: then the filter is another.
    public var changedImages: [Region] {
        let images = regions.filter { $0.isExecutable && !$0.isKernels && !$0.isUnbackedCode }
        let whole = images.filter { $0.stored == $0.end - $0.start && $0.stored > Self.headerPageBytes }
        return whole.count == images.count ? [] : whole
    }

    /// In bytes: the first page of a program is always dumped.
    private static let headerPageBytes: UInt64 = 4096

    private static func architecture(_ machine: Int) -> Architecture? {
        switch machine {
        case 3: .x86_32
        case 62: .x86_64
        case 183: .arm64
        default: nil
        }
    }

    static func malformed(_ why: String) -> EpitopeError {
        EpitopeError(
            .coreMalformed, "it can't be read as a core dump: \(why)",
            remedy: "dump the process again (gcore PID), or dump the region alone with gdb: dump binary memory REGION.bin START END")
    }
}
