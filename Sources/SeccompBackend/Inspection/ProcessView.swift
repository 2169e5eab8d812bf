import EpitopeModel
import Glibc

/// A stalled process as one inspection sees it: its memory, what is mapped, and what stands behind it.
struct ProcessView {
    let memory: ProcessMemory
    let space: AddressSpace
    let pages: PageTable
    let classifier: BackingClassifier
    /// The stack pointer of the thread that made the call.
    let stackPointer: UInt64

    /// A mapping with what stands behind it at an address. The address is one after a calling instruction, so the
    /// byte before it is what counts.
    func region(of entry: MapEntry, at address: UInt64) -> MemoryRegion {
        MemoryRegion(
            start: entry.start, end: entry.end, protection: entry.protection, backing: backing(of: entry, at: address))
    }

    private func backing(of entry: MapEntry, at address: UInt64) -> MemoryBacking {
        let backing = classifier.backing(of: entry, thread: memory.thread)
        switch backing {
        case .anonymous where entry.inode == 0 && (entry.contains(stackPointer) || isUnderStack(entry)):
            return .stack
        case .image(let path) where !entry.protection.contains(.shared):
            // Both pages, where the instruction lies across two.
            let isWritten = pages.isWritten(address - 1) || (address & 0xFFF == 1 && pages.isWritten(address - 2))
            return isWritten ? .writtenImagePage(path: path) : backing
        default:
            return backing
        }
    }

    /// Whether a mapping was split off a stack by a change of its protection: the kernel names the topmost part only.
    private func isUnderStack(_ entry: MapEntry) -> Bool {
        var upper = entry
        for _ in 0..<4 {
            guard let next = space.entry(at: upper.end), next.inode == 0 else { return false }
            if next.name == "[stack]" { return true }
            upper = next
        }
        return false
    }
}
