// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import CSeccomp
import EpitopeModel
import FileAccess
import Glibc
import ProcessInspection

/// A stalled process as one inspection sees it: its memory, its mappings, and their backing.
struct ProcessView {
    /// What keeps its answers from process to process.
    struct Shared {
        let classifier = BackingClassifier()
        let tables = ImageTables()
        let files = ImageFiles()
        let since: WatchStart
    }

    let memory: ProcessMemory
    let space: AddressSpace
    let pages: PageTable
    let shared: Shared
    /// The stack pointer of the thread that made the call.
    let stackPointer: UInt64

    /// The image that a mapping is of; `nil` if its file can't be had, or is one in memory.
    func image(of span: epitope_span) -> CodeImage? {
        guard span.device != shared.classifier.memoryFileDevice else { return nil }
        return shared.tables.image(of: span, thread: memory.thread) { space.entry(at: span.start)?.name ?? "" }
    }

    /// A mapping with its backing at an address. The address is the one after a calling instruction, so the byte before it
    /// decides.
    func region(of entry: MapEntry, at address: UInt64) -> MemoryRegion {
        MemoryRegion(
            start: entry.start, end: entry.end, protection: entry.protection, backing: backing(of: entry, at: address))
    }

    /// Whether the kernel's trampoline for return probes (uretprobes) begins at an address.
    func isReturnProbe(_ address: UInt64) -> Bool {
        address.isMultiple(of: MapEntry.pageSize) && space.entry(at: address)?.isReturnProbe(address) == true
    }

    /// The trampoline in the place of a return address, which can't be checked.
    func returnProbe(at address: UInt64) -> Observation.ReturnAddress? {
        space.entry(at: address).map { .init(address: address, region: region(of: $0, at: address), check: .unchecked) }
    }

    /// Whether a mapping is a program's image, unwritten at an address, as far as a few cheap queries tell: where
    /// ``region(of:at:)`` says `image` for a private mapping of a file that has a name and didn't change since the processes
    /// began.
    ///
    /// - Parameter image: the mapping's.
    func isPlainImage(_ span: epitope_span, _ image: CodeImage, at address: UInt64) -> Bool {
        guard span.protection.contains(.execute), isUnchangedFile(span, image) else { return false }
        return !pages.isInstructionWritten(endingAt: address)
    }

    /// Whether a mapping is a private one of a file that has a name, and didn't change since the processes began.
    private func isUnchangedFile(_ span: epitope_span, _ image: CodeImage) -> Bool {
        guard let memoryFiles = shared.classifier.memoryFileDevice, memoryFiles != span.device else { return false }
        return span.protection.isDisjoint(with: [.shared, .write]) && image.links > 0 && !shared.since.isBefore(image.identity.changed)
    }

    private func backing(of entry: MapEntry, at address: UInt64) -> MemoryBacking {
        let backing = backing(of: entry)
        switch backing {
        case .anonymous where entry.inode == 0 && (entry.contains(stackPointer) || isUnderStack(entry)):
            return .stack
        case .anonymous:
            return (copiedImage(of: entry, at: address) ?? packedProgram(unpacking: entry, at: address)).map { .image(path: $0) } ?? backing
        case .kernel where entry.isKernelsFunctions:
            // A process may write to its own copy of the page.
            return pages.isInstructionWritten(endingAt: address) ? .writtenImagePage(path: entry.name) : backing
        case .memoryFile where !entry.protection.contains(.shared):
            return copiedImage(of: entry, at: address).map { .image(path: $0) } ?? backing
        case .image(let path) where !entry.protection.contains(.shared):
            guard pages.isInstructionWritten(endingAt: address) else { return backing }
            return comparison(of: entry, at: address)?.isImage ?? false ? backing : .writtenImagePage(path: path)
        default:
            return backing
        }
    }

    /// The backing of a mapping as a whole. Never ``MemoryBacking/writtenImagePage(path:)``, which is a page's property.
    private func backing(of entry: MapEntry) -> MemoryBacking {
        let backing = shared.classifier.backing(of: entry, thread: memory.thread)
        guard case .image = backing, entry.device != shared.classifier.memoryFileDevice else { return backing }
        let reader = MappedFileReader(thread: memory.thread, since: shared.since, memory: memory, space: space)
        return reader.file(of: entry, image(of: epitope_span(entry))).backing
    }

    /// How many mappings are looked at for unbacked code: as many as a process may have by default.
    private static let maxMappings = 65_536

    /// Whether the process has unbacked executable memory. Pages of images that were written don't count, which would take a
    /// look at every page.
    func hasUnbackedCode() -> Bool {
        if let known = space.hasUnbackedCode { return known }
        let found = findUnbackedCode()
        space.hasUnbackedCode = found
        return found
    }

    private func findUnbackedCode() -> Bool {
        var address: UInt64 = 0
        for _ in 0..<Self.maxMappings {
            guard let span = space.nextCode(from: address) else { return false }
            address = span.end
            if span.inode != 0, span.device != shared.classifier.memoryFileDevice, span.device_major != 0,
                span.protection.isDisjoint(with: [.shared, .write])
            {
                continue
            }
            if let image = image(of: span), isUnchangedFile(span, image) { continue }
            guard let entry = space.entry(at: span.start) else { continue }
            if backing(of: entry).isUnbacked { return true }
        }
        return true
    }

    /// How many parts a stack may be split into, by changes of its protection, to be recognised still.
    private static let maxStackParts = 4

    /// Whether a mapping was split off a stack by a change of its protection: the kernel names the topmost part only.
    private func isUnderStack(_ entry: MapEntry) -> Bool {
        var upper = entry
        for _ in 0..<Self.maxStackParts {
            guard let next = space.entry(at: upper.end), next.inode == 0 else { return false }
            if next.name == "[stack]" { return true }
            upper = next
        }
        return false
    }
}
