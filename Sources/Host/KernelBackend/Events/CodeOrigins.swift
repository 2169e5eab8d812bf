// SPDX-License-Identifier: Apache-2.0

import CKernelProgram
import EpitopeModel
import FileAccess
import Glibc
import ProcessInspection

/// What the kernel program doesn't look at, since it takes the file: whether a written page of an image is the file's all the
/// same, and whether code without a file is what a packed program unpacked.
///
/// The process may have gone on since its event. Then the code that the kernel copied is compared with the file that it named, and what
/// a packed program unpacked is told by that program's file; else the evidence stands as the kernel saw it.
struct CodeOrigins {
    /// What was found of the code at an event's caller.
    struct Finding: Sendable {
        /// Whether the page is a file's: but for breakpoints and text relocations, or a copy in the file's place.
        var isImage = false
        /// How the page differs from the file, for a person.
        var difference: String?
        /// The packed executable that unpacked the code.
        var packedProgram: String?

        init(packedProgram: String? = nil) {
            self.packedProgram = packedProgram
        }

        /// - Parameter comparison: `nil` where the page can't be compared: nothing is explained.
        init(_ comparison: PageComparison?) {
            isImage = comparison?.isImage ?? false
            difference = comparison?.description
        }

        init(isImage: Bool) {
            self.isImage = isImage
        }
    }

    /// How many words of a stack are looked at for other code's return addresses.
    private static let maxWords = 512

    private let images = ImagePages()
    private let programs = PackedPrograms()
    private let shortLived = ShortLivedPrograms()

    /// - Parameter address: of the caller in the event's region.
    func finding(_ event: KernelEvent, at address: UInt64, _ mappings: ProcessMappings) -> Finding {
        // The kernel asked before it let the call pass.
        if event.region.isUnpacked { return Finding(packedProgram: event.program.path ?? programPath(mappings) ?? event.command) }
        guard let process = mappings.processID else {
            // Less is known of it now than when the kernel asked.
            guard !event.region.isAnswered else { return Finding() }
            if let compared = comparison(ofEnded: event, at: address) { return Finding(compared) }
            return Finding(packedProgram: shortLived.packedProgram(event, nil))
        }
        guard address > 0, let mapping = mappings.entry(at: address - 1) else { return Finding() }
        shortLived.remember(event, process)
        let memory = Self.memory(of: process, event)
        let seen = Self.seen(process, memory, mappings)
        let found = finding(event, at: address, mapping, seen)
        guard found.packedProgram != nil else { return found }
        let program = programs.program(of: event.processID, memory: memory)
        return program.map { isAlone($0, event, mappings, memory) } ?? false ? found : Finding()
    }

    /// Whether the written page of an image that an event's return address lies in is the file's all the same.
    func findingOfReturn(_ event: KernelEvent, _ mappings: ProcessMappings) -> Finding {
        let address = event.deeperAddress
        if mappings.processID == nil { return event.region.isAnswered ? Finding() : Finding(comparison(ofEnded: event, at: address)) }
        return findingOfWrittenPage(event, at: address, mappings)
    }

    /// The same of the library that made a call for other code. What the kernel program found is about that code: where it doesn't know
    /// that the library's page was written, and nobody can look any more, the library is the image that it was taken for.
    func findingOfLibrary(_ event: KernelEvent, _ mappings: ProcessMappings) -> Finding {
        guard UInt32(event.library.backing) == EPITOPE_BACKING_IMAGE.rawValue, event.library.mayBeWritten else { return Finding() }
        if mappings.processID == nil { return Finding(isImage: true) }
        return findingOfWrittenPage(event, at: event.instructionPointer, mappings)
    }

    private func findingOfWrittenPage(_ event: KernelEvent, at address: UInt64, _ mappings: ProcessMappings) -> Finding {
        guard let process = mappings.processID, address > 0, let mapping = mappings.entry(at: address - 1), mapping.inode != 0,
            mappings.isInstructionWritten(endingAt: address)
        else { return Finding() }
        let seen = Self.seen(process, Self.memory(of: process, event), mappings)
        return Finding(images.comparison(ofInstructionEndingAt: address, in: mapping, of: seen))
    }

    /// How the page of an image that the kernel copied differs from its file; `nil` where it copied none, or where the file can't be had as
    /// it was.
    private func comparison(ofEnded event: KernelEvent, at address: UInt64) -> PageComparison? {
        let region = event.region
        guard [EPITOPE_BACKING_WRITTEN_IMAGE, EPITOPE_BACKING_IMAGE].contains(epitope_backing(UInt32(region.backing))), address > 0,
            let (path, file) = event.regionFile, file.isUnmistakable(at: event.time)
        else { return nil }
        let mapping = MapEntry(
            start: region.start, end: region.end, protection: region.protection, offset: event.regionOffset, device: file.device,
            inode: file.id.inode, name: path)
        let process = ImagePages.Process(
            ended: mapping, copied: event.copiedCode, callersAddress: address,
            library: event.library.start..<max(event.library.start, event.library.end), changed: file.changed,
            open: { file.open(path, from: "/", getpid()) })
        return images.comparison(ofInstructionEndingAt: address, in: mapping, of: process)
    }

    /// Answers the kernel's question about code.
    func answer(_ event: KernelEvent, _ mappings: ProcessMappings) -> QuestionAnswer {
        let address = event.question.callers_address
        guard let process = mappings.processID, address > 0, let mapping = mappings.entry(at: address - 1) else { return .none }
        let memory = Self.memory(of: process, event)
        // The answer is for the bytes that the kernel copied, and for no others: another thread may change the memory meanwhile.
        let (start, code) = event.code
        let end = start &+ UInt64(code.count)
        let copied = FileBytes { place, count in
            guard place >= start, place < end, UInt64(count) <= end - place else { return memory.read(place, count) }
            return Array(code[Int(place - start)..<Int(place - start) + count])
        }
        var seen = Self.seen(process, copied, mappings)
        seen.isWritten = { $0 >= start && $0 < end || mappings.isWritten($0) }
        let found = finding(event, at: address, mapping, seen)
        if found.isImage { return .code(EPITOPE_CODE_OF_IMAGE) }
        return .code(found.packedProgram == nil ? EPITOPE_CODE_OTHER : EPITOPE_CODE_UNPACKED)
    }

    /// A process as the comparisons see it.
    private static func seen(_ process: pid_t, _ memory: FileBytes, _ mappings: ProcessMappings) -> ImagePages.Process {
        ImagePages.Process(id: process, memory: memory, mapping: { mappings.entry(at: $0) }, isWritten: mappings.isWritten)
    }

    private func programPath(_ mappings: ProcessMappings) -> String? { mappings.processID.flatMap { ProcFS.link("/proc/\($0)/exe") } }

    /// What the bytes before an address are, in a mapping that counts as a written image, or as code without a file.
    private func finding(_ event: KernelEvent, at address: UInt64, _ mapping: MapEntry, _ seen: ImagePages.Process) -> Finding {
        switch UInt32(event.region.backing) {
        case EPITOPE_BACKING_WRITTEN_IMAGE.rawValue, EPITOPE_BACKING_IMAGE.rawValue:
            return Finding(images.comparison(ofInstructionEndingAt: address, in: mapping, of: seen))
        case EPITOPE_BACKING_ANONYMOUS.rawValue:
            if mapping.isProbeMemory || isCopy(mapping, address, seen) { return Finding(isImage: true) }
            guard let program = programs.program(of: event.processID, memory: seen.memory), program.unpacked(mapping),
                program.isUnchanged(at: address - 1, memory: seen.memory)
            else { return Finding() }
            return Finding(packedProgram: program.path)
        case EPITOPE_BACKING_MEMORY_FILE.rawValue:
            return Finding(isImage: isCopy(mapping, address, seen))
        default:
            return Finding()
        }
    }

    /// A process's memory. Where nobody may read it (`kernel.yama.ptrace_scope=3`), the code that the kernel program copied: of a large
    /// region, the page of the caller's instruction and what is near.
    private static func memory(of process: pid_t, _ event: KernelEvent) -> FileBytes {
        guard let file = try? FileDescriptor("/proc/\(process)/mem", O_RDONLY) else { return event.copiedCode }
        return FileBytes(file)
    }

    /// Whether the code is a copy of an image's, in the image's place.
    private func isCopy(_ mapping: MapEntry, _ address: UInt64, _ process: ImagePages.Process) -> Bool {
        images.comparison(ofCopiedInstructionEndingAt: address, in: mapping, of: process)?.comparison.isImage ?? false
    }

    /// Whether no other code without a file, and none that was written over the program's, is on the stack.
    private func isAlone(_ program: PackedProgram, _ event: KernelEvent, _ mappings: ProcessMappings, _ memory: FileBytes) -> Bool {
        // What the kernel saw at the call; the stack may have changed since.
        if let code = event.stackCode, !code.isEmpty, !program.unpacked(code.lowerBound) || !program.unpacked(code.upperBound - 1) {
            return false
        }
        guard let bytes = (1...Self.maxWords).reversed().lazy.compactMap({ memory.read(event.stackPointer, 8 * $0) }).first else {
            return false
        }
        for place in stride(from: 0, to: bytes.count, by: 8) {
            guard let word = bytes.integer(UInt64.self, at: place), word > MapEntry.pageSize, let mapping = mappings.entry(at: word - 1),
                mapping.protection.contains(.execute), mapping.inode == 0, !mapping.isKernels
            else { continue }
            guard program.unpacked(mapping), program.isUnchanged(at: word - 1, memory: memory) else { return false }
        }
        return true
    }
}

extension MapEntry {
    /// Whether it is code that the kernel made, by a name that no process can give.
    fileprivate var isKernels: Bool { isProbeMemory || name == "[vdso]" || name == "[vsyscall]" }
}
