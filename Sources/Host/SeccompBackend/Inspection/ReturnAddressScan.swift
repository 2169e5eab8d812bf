// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Glibc
import ProcessInspection

/// Scans a stack for the code that a library will return to.
///
/// A word counts as a return address if it lies in executable memory and follows a call instruction. Words in the library's
/// own image are its inner frames and are skipped, as are the dynamic loader's. The first one outside is the library's
/// caller. A stale word in an unused slot of the library's frame may be mistaken for it, so this is only used where
/// ``CallerWalk`` can't tell.
struct ReturnAddressScan {
    /// How many words are scanned of a caller's own stack, and of the stack of a parent that waits for its child.
    static let maxWords = 512
    static let maxParentWords = 2048
    /// How many return addresses are collected.
    static let maxFound = 8

    let view: ProcessView
    let wordSize: Int
    /// Whether to continue after the first one outside of the library: what lies further up is weak evidence, and takes time.
    let wantsDeeper: Bool

    /// - Parameters:
    ///   - library: the mapping that the instruction pointer lies in; `nil` when that is the kernel's page, which a
    ///     library called.
    func returnAddresses(
        from stackPointer: UInt64, maxWords: Int, library: MapEntry?
    ) throws(InspectionFailure) -> [Observation.ReturnAddress] {
        var library = library
        var found: [Observation.ReturnAddress] = []
        let words = view.memory.words(stackPointer, count: maxWords, size: wordSize)
        guard !words.isEmpty else { throw InspectionFailure(errno: EFAULT, reading: "stack") }
        for word in words {
            guard AddressSpace.codeAddresses.contains(word), let entry = view.space.executableEntry(at: word - 1) else {
                continue
            }
            if let library, entry.isSameImage(as: library) { continue }
            if Self.isLoader(entry) || !view.memory.hasCallInstruction(endingAt: word) { continue }
            let region = view.region(of: entry, at: word)
            if region.backing == .kernel { continue }
            if library == nil, !region.backing.isUnbacked {
                library = entry
                continue
            }
            found.append(.init(address: word, region: region))
            if found.count == Self.maxFound || (!wantsDeeper && !found[0].region.backing.isUnbacked) { break }
        }
        return found
    }

    /// Whether a mapping is the dynamic loader's. Its name is enough here: skipping a mapping only makes the scan go on.
    static func isLoader(_ entry: MapEntry) -> Bool {
        guard entry.inode != 0, let slash = entry.name.utf8.lastIndex(of: UInt8(ascii: "/")) else { return false }
        return entry.name[slash...].hasPrefix("/ld-") || entry.name[slash...].hasPrefix("/ld.so")
    }
}
