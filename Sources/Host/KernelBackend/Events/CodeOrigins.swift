// SPDX-License-Identifier: Apache-2.0

import CKernelProgram
import EpitopeModel
import FileAccess
import Glibc
import ProcessInspection

/// What the kernel program doesn't look at, since it takes the file: whether a written page of an image is the file's all the
/// same, and whether code without a file is what a packed program unpacked.
///
/// The process may have gone on since its event. Then nothing is explained: the evidence stands as the kernel saw it.
struct CodeOrigins {
    /// What was found of the code at an event's caller.
    struct Finding: Sendable {
        /// Whether the page is a file's: but for breakpoints and text relocations, or a copy in the file's place.
        var isImage = false
        /// How the page differs from the file, for a person.
        var difference: String?
        /// The packed executable that unpacked the code.
        var packedProgram: String?
    }

    /// How many words of a stack are looked at for other code's return addresses.
    private static let maxWords = 512

    private let images = ImagePages()
    private let programs = PackedPrograms()

    /// - Parameter address: of the caller in the event's region.
    func finding(_ event: KernelEvent, at address: UInt64, _ mappings: ProcessMappings) -> Finding {
        guard let process = mappings.processID, address > 0, let mapping = mappings.entry(at: address - 1) else { return Finding() }
        let memory = Self.memory(of: process, event)
        let seen = ImagePages.Process(id: process, memory: memory, mapping: { mappings.entry(at: $0) }, isWritten: mappings.isWritten)
        switch UInt32(event.region.backing) {
        case EPITOPE_BACKING_WRITTEN_IMAGE.rawValue, EPITOPE_BACKING_IMAGE.rawValue:
            let found = images.comparison(ofInstructionEndingAt: address, in: mapping, of: seen)
            return Finding(isImage: found?.isImage ?? false, difference: found?.description)
        case EPITOPE_BACKING_ANONYMOUS.rawValue:
            if mapping.isProbeMemory || isCopy(mapping, address, seen) { return Finding(isImage: true) }
            guard let program = programs.program(of: event.processID, memory: memory), program.unpacked(mapping),
                program.isUnchanged(at: address - 1, memory: memory), isAlone(program, event, mappings, memory)
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
        guard let file = try? FileDescriptor("/proc/\(process)/mem", O_RDONLY) else {
            let code = FileBytes(event.code.bytes)
            return FileBytes { address, count in address < event.code.start ? nil : code.read(address - event.code.start, count) }
        }
        return FileBytes(file)
    }

    /// Whether the code is a copy of an image's, in the image's place.
    private func isCopy(_ mapping: MapEntry, _ address: UInt64, _ process: ImagePages.Process) -> Bool {
        images.comparison(ofCopiedInstructionEndingAt: address, in: mapping, of: process)?.comparison.isImage ?? false
    }

    /// Whether no other code without a file, and none that was written over the program's, is on the stack.
    private func isAlone(_ program: PackedProgram, _ event: KernelEvent, _ mappings: ProcessMappings, _ memory: FileBytes) -> Bool {
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
