// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
public import FileAccess
import Glibc

/// Compares pages of code that were written with the files that they are private copies of.
///
/// Files stay open from call to call, so that an inode can't be reused; it must be used on one thread only.
public final class ImagePages {
    /// How many files are kept.
    static let maxFiles = 16

    /// The process whose code is compared.
    public struct Process {
        /// `nil`: it has ended.
        public var id: Int32?
        /// Its memory, by address.
        public var memory: FileBytes
        /// The mapping at an address.
        public var mapping: (UInt64) -> MapEntry?
        /// Whether the page at an address of a file's private mapping was written. One that was not is the file's, and isn't read.
        public var isWritten: (UInt64) -> Bool
        /// Opens the file of a mapping; `nil` where that isn't to be had.
        var open: (MapEntry) -> FileDescriptor?
        /// Whether the file of a mapping, which was opened before, still is what it was then.
        var isCurrent: (FileIdentity) -> Bool
        /// Whether a value that the dynamic loader wrote at a place may be the address of another image's symbol. Asked where no mapping
        /// is known at that address.
        var mayBeSymbol: (_ address: UInt64, _ place: Range<UInt64>) -> Bool

        public init(
            id: Int32, memory: FileBytes, mapping: @escaping (UInt64) -> MapEntry?, isWritten: @escaping (UInt64) -> Bool = { _ in true }
        ) {
            self.id = id
            self.memory = memory
            self.mapping = mapping
            self.isWritten = isWritten
            open = { ImagePages.open($0, id) }
            isCurrent = { _ in true }
            mayBeSymbol = { _, _ in false }
        }

        /// A process that has ended, of which what was copied is known: the page of one mapping's instruction.
        ///
        /// Other mappings are known no more. An address of another image's symbol is then any that the process could have had, where the
        /// file asks for one: eight bytes of somebody else's choice, outside of the calling instruction. That one must lead to the library.
        ///
        /// - Parameters:
        ///   - copied: the memory that was copied, by address.
        ///   - callersAddress: where the instruction ends that made the call.
        ///   - library: the mapping of the library that made the system call; empty where there was none.
        ///   - changed: when the mapping's file changed last, at the time of the call.
        ///   - open: opens that file, if it is as it was then.
        public init(
            ended mapping: MapEntry, copied: FileBytes, callersAddress: UInt64, library: Range<UInt64>, changed: FileIdentity.Time,
            open: @escaping () -> FileDescriptor?
        ) {
            let instruction = callersAddress - min(UInt64(CallInstruction.maxLength), callersAddress)..<callersAddress
            memory = copied
            self.mapping = { mapping.contains($0) ? mapping : nil }
            isWritten = { _ in true }
            self.open = { $0 == mapping ? open() : nil }
            isCurrent = { $0.changed == changed }
            mayBeSymbol = { address, place in
                place.overlaps(instruction) ? library.contains(address) : ImagePages.userAddresses.contains(address)
            }
        }
    }

    /// Where programs can have mappings (x86-64, with page tables of four levels): not in the first pages (`vm.mmap_min_addr`).
    private static let userAddresses: Range<UInt64> = 0x1_0000..<0x7FFF_FFFF_F000

    private struct Key: Hashable {
        var device: MapEntry.Device
        var inode: UInt64
    }

    private struct CodeFile {
        var file: FileDescriptor
        var identity: FileIdentity
        var image: ElfImage?
        var text: TextRelocations?
        var lastUse: UInt64
    }

    private var files: [Key: CodeFile] = [:]
    private var clock: UInt64 = 0

    public init() {}

    /// How the page of the instruction that ends at an address differs from its file's; both pages, where it lies across two.
    /// `nil` where that can't be determined: the file can't be opened, or isn't certainly the one that is mapped.
    ///
    /// - Parameter mapping: a private mapping of a file, which the address lies in.
    public func comparison(ofInstructionEndingAt address: UInt64, in mapping: MapEntry, of process: Process) -> PageComparison? {
        // Whoever may write the page now can change it between the comparison and the call's end.
        guard mapping.inode != 0, mapping.protection.isDisjoint(with: [.shared, .write]), mapping.contains(address - 1),
            let code = codeFile(of: mapping, process)
        else { return nil }
        let page = (address - 1) & ~(MapEntry.pageSize - 1)
        let first = max(mapping.start, (address - UInt64(CallInstruction.maxLength)) & ~(MapEntry.pageSize - 1))
        var result: PageComparison?
        for start in first == page || !process.isWritten(first) ? [page] : [first, page] {
            guard let found = comparison(ofPage: start, callersAddress: address, mapping, code, process) else { return nil }
            result = result.map { $0 + found } ?? found
        }
        return result
    }

    /// Compares code without a file that stands in the place of the process's program with the program's file: programs copy
    /// their code to huge pages, and put the copy where the code was. `nil` where the file has no code at that place.
    ///
    /// Of the program alone, whose file nobody can write to while it runs: a copy of another file proves no more than the file
    /// does.
    ///
    /// - Parameter mapping: anonymous, or of a memory file; the address lies in it.
    public func comparison(
        ofCopiedInstructionEndingAt address: UInt64, in mapping: MapEntry, of process: Process
    ) -> (path: String, comparison: PageComparison)? {
        guard mapping.protection.isDisjoint(with: [.shared, .write]), mapping.contains(address - 1) else { return nil }
        for neighbour in neighbours(of: mapping, process) {
            guard let id = process.id, let code = codeFile(of: neighbour, process), let image = code.image, Self.isProgram(code, id),
                let loadAddress = image.loadAddress(mapping: neighbour.start, ofFileOffset: neighbour.offset)
            else { continue }
            let page = (address - 1) & ~(MapEntry.pageSize - 1)
            let first = max(mapping.start, (address - UInt64(CallInstruction.maxLength)) & ~(MapEntry.pageSize - 1))
            var result: PageComparison?
            for start in first == page ? [page] : [first, page] {
                guard let offset = image.codeOffset(of: start &- loadAddress) else { return nil }
                var placed = mapping
                placed.offset = offset &- (start - mapping.start)
                guard let found = comparison(ofPage: start, callersAddress: address, placed, code, process) else { return nil }
                result = result.map { $0 + found } ?? found
            }
            return result.map { (neighbour.name, $0) }
        }
        return nil
    }

    private static func isProgram(_ code: CodeFile, _ process: Int32) -> Bool {
        (try? PathHandle("/proc/\(process)/exe").status())?.identity == code.identity
    }

    /// How many mappings on each side are looked at for an image's: a copy may be in several parts.
    private static let maxNeighbours = 8

    /// The nearest mapping of a file on either side.
    private func neighbours(of mapping: MapEntry, _ process: Process) -> [MapEntry] {
        var found: [MapEntry] = []
        for goesDown in [true, false] {
            var next = mapping
            for _ in 0..<Self.maxNeighbours {
                guard let other = process.mapping(goesDown ? next.start &- 1 : next.end) else { break }
                if other.inode != 0, other.name.hasPrefix("/"), !other.name.hasSuffix(" (deleted)"), !other.protection.contains(.shared) {
                    found.append(other)
                    break
                }
                next = other
            }
        }
        return found
    }

    private func comparison(
        ofPage start: UInt64, callersAddress: UInt64, _ mapping: MapEntry, _ code: CodeFile, _ process: Process
    ) -> PageComparison? {
        let size = Int(MapEntry.pageSize)
        guard let memory = process.memory.read(start, size), let offset = Int(exactly: mapping.offset &+ (start - mapping.start)),
            var bytes = try? DescriptorIO.bytes(code.file.number, at: offset, count: size)
        else { return nil }
        // Behind the file's end a mapping's last page is zero.
        bytes += [UInt8](repeating: 0, count: size - bytes.count)
        var relocations = 0
        if let image = code.image, let text = code.text, let linked = image.address(ofFileOffset: UInt64(offset)) {
            let relocated = RelocatedPage(
                bytes, at: start, image, text, ElfSymbols(image, FileBytes(code.file)),
                .init(loadAddress: start &- linked, memory: process.memory) { [self] name, address, place in
                    isSymbol(name, at: address, writtenTo: place, process)
                })
            bytes = relocated.bytes
            relocations = relocated.relocations
        }
        return PageComparison(
            memory: memory, expected: bytes, at: start, callersAddress: callersAddress, relocations: relocations,
            isProbeTrampoline: { process.mapping($0).map(\.isProbeTrampoline) ?? false })
    }

    /// Whether the image at an address has a symbol of this name there, or chooses the function of this name at run time. What it
    /// chooses is one of its own, or one of the kernel's page.
    private func isSymbol(_ name: [UInt8], at address: UInt64, writtenTo place: Range<UInt64>, _ process: Process) -> Bool {
        guard let mapping = process.mapping(address) else { return process.mayBeSymbol(address, place) }
        if mapping.isKernelsFunctions, !mapping.protection.contains(.write) { return true }
        guard mapping.inode != 0, let code = codeFile(of: mapping, process),
            let image = code.image, let linked = image.address(ofFileOffset: mapping.offset &+ (address - mapping.start))
        else { return false }
        let symbols = ElfSymbols(image, FileBytes(code.file))
        return symbols.has(name, at: linked) || (image.isCode(linked) && symbols.hasChosenAtRunTime(name))
    }

    private func codeFile(of mapping: MapEntry, _ process: Process) -> CodeFile? {
        let key = Key(device: mapping.device, inode: mapping.inode)
        clock += 1
        if let known = files[key], FileIdentity(known.file.number) == known.identity {
            files[key]?.lastUse = clock
            return process.isCurrent(known.identity) ? known : nil
        }
        files[key] = nil
        guard let file = process.open(mapping), let identity = FileIdentity(file.number) else { return nil }
        let bytes = FileBytes(file)
        let image = ElfImage(bytes)
        let code = CodeFile(
            file: file, identity: identity, image: image, text: image.flatMap { TextRelocations($0, bytes) }, lastUse: clock)
        if files.count >= Self.maxFiles, let oldest = files.min(by: { $0.value.lastUse < $1.value.lastUse }) { files[oldest.key] = nil }
        files[key] = code
        return code
    }

    /// The file of a mapping; `nil` if it can't be opened, if its server may never answer, or if by its path another was opened.
    public static func open(_ mapping: MapEntry, _ process: Int32) -> FileDescriptor? {
        guard !isServed(mapping.device, process) else { return nil }
        let link = "/proc/\(process)/map_files/\(String(mapping.start, radix: 16))-\(String(mapping.end, radix: 16))"
        let named = mapping.name.hasPrefix("/") ? "/proc/\(process)/root\(mapping.name)" : nil
        for path in [link] + (named.map { [$0] } ?? []) {
            guard let file = try? PathHandle(path).openFile(), let identity = FileIdentity(file.number) else { continue }
            if identity.isOf(file, mapped: mapping.inode, on: mapping.device) { return file }
        }
        return nil
    }

    /// Whether a program serves a device's files (FUSE), which may never answer; also where no mount of the process says.
    static func isServed(_ device: MapEntry.Device, _ process: Int32) -> Bool {
        device.major == 0 && ServedFiles(of: process).isServed(device)
    }
}

extension PageComparison {
    static func + (one: Self, other: Self) -> Self {
        var sum = one
        sum.breakpoints += other.breakpoints
        sum.probes += other.probes
        sum.relocations += other.relocations
        sum.unexplained += other.unexplained
        sum.firstUnexplained = one.firstUnexplained ?? other.firstUnexplained
        return sum
    }
}

extension MapEntry {
    /// The kernel's own names of memory that it makes executable for probes of user programs (uprobes). No process can give
    /// these names: a name that a process chooses begins with a slash or with "[anon:".
    private static let probeMemory: Set<String> = ["[uprobes]", "[uprobes-trampoline]"]

    /// Whether the kernel made the mapping for probes: what it runs there are instructions of an image, one by one.
    public var isProbeMemory: Bool { inode == 0 && Self.probeMemory.contains(name) }

    var isProbeTrampoline: Bool { inode == 0 && name == "[uprobes-trampoline]" }

    /// Whether the kernel has functions return to an address whose return is probed (uretprobes): it keeps their true return
    /// addresses, and shows them to nobody. No process can write to such a mapping.
    public func isReturnProbe(_ address: UInt64) -> Bool { inode == 0 && name == "[uprobes]" && start == address }

    /// Whether it is the pages of functions that the kernel gives each process (vDSO). The process may write to its copy of them.
    public var isKernelsFunctions: Bool { inode == 0 && name == "[vdso]" }
}
