// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import EpitopeModel
import Glibc
import ProcessInspection

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

    /// Whether a mapping is a program's image, unwritten at an address, as far as can be told with few questions: it is
    /// where ``region(of:at:)`` says `image` for a private mapping of a file on a block device, or of one that has its name
    /// still. The name is asked for without a block device only: where containers' files lie, on overlayfs.
    func isPlainImage(_ span: epitope_span, at address: UInt64) -> Bool {
        guard span.inode != 0, span.flags & 12 == 4, let memoryFiles = classifier.memoryFileDevice,
            memoryFiles != MapEntry.Device(major: span.device_major, minor: span.device_minor),
            span.device_major != 0 || space.entry(at: address - 1).map({ !$0.name.hasSuffix(" (deleted)") }) ?? false
        else { return false }
        return !isWritten(at: address)
    }

    /// Both pages, where the instruction lies across two.
    private func isWritten(at address: UInt64) -> Bool {
        pages.isWritten(address - 1) || (address & 0xFFF == 1 && pages.isWritten(address - 2))
    }

    private func backing(of entry: MapEntry, at address: UInt64) -> MemoryBacking {
        let backing = classifier.backing(of: entry, thread: memory.thread)
        switch backing {
        case .anonymous where entry.inode == 0 && (entry.contains(stackPointer) || isUnderStack(entry)):
            return .stack
        case .image(let path) where !entry.protection.contains(.shared):
            return isWritten(at: address) ? .writtenImagePage(path: path) : backing
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
