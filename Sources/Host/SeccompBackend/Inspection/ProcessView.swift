// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import EpitopeModel
import Glibc
import ProcessInspection

/// A stalled process as one inspection sees it: its memory, its mappings, and their backing.
struct ProcessView {
    let memory: ProcessMemory
    let space: AddressSpace
    let pages: PageTable
    let classifier: BackingClassifier
    /// The stack pointer of the thread that made the call.
    let stackPointer: UInt64

    /// A mapping with its backing at an address. The address is the one after a calling instruction, so the byte before it
    /// decides.
    func region(of entry: MapEntry, at address: UInt64) -> MemoryRegion {
        MemoryRegion(
            start: entry.start, end: entry.end, protection: entry.protection, backing: backing(of: entry, at: address))
    }

    /// Whether a mapping is a program's image, unwritten at an address, as far as a few cheap queries tell: where
    /// ``region(of:at:)`` says `image` for a private mapping of a file that is on a block device or still has its name. The
    /// name is queried only without a block device, as for containers' files on overlayfs.
    func isPlainImage(_ span: epitope_span, at address: UInt64) -> Bool {
        guard span.inode != 0, span.protection.isDisjoint(with: .shared), span.protection.contains(.execute),
            let memoryFiles = classifier.memoryFileDevice, memoryFiles != span.device,
            span.device_major != 0 || space.entry(at: address - 1).map({ !$0.name.hasSuffix(" (deleted)") }) ?? false
        else { return false }
        return !pages.isInstructionWritten(endingAt: address)
    }

    private func backing(of entry: MapEntry, at address: UInt64) -> MemoryBacking {
        let backing = classifier.backing(of: entry, thread: memory.thread)
        switch backing {
        case .anonymous where entry.inode == 0 && (entry.contains(stackPointer) || isUnderStack(entry)):
            return .stack
        case .image(let path) where !entry.protection.contains(.shared):
            return pages.isInstructionWritten(endingAt: address) ? .writtenImagePage(path: path) : backing
        default:
            return backing
        }
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
