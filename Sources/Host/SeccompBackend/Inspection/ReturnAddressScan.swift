// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Glibc
import ProcessInspection

/// Looks through a stack for the code that a library will return to.
///
/// A word is held to be a return address when it lies in executable memory and follows a call instruction. Words that
/// lie in the library's own image are its inner frames, and are passed over, as are the dynamic loader's. The first one
/// outside is the library's caller. A stale word may stand in an unused slot of the library's frame, and be taken for
/// it: this is for where ``CallerWalk`` can't tell.
struct ReturnAddressScan {
    /// How many words are looked at in a caller's own stack, and in the stack of a parent that waits for its child.
    static let depth = 512
    static let parentDepth = 2048
    /// How many return addresses are kept.
    static let most = 8

    let view: ProcessView
    let wordSize: Int
    /// Whether to go on after the first one outside of the library: what lies further up is weak evidence, and costs.
    let wantsDeeper: Bool

    /// - Parameters:
    ///   - library: the mapping that the instruction pointer lies in; `nil` when that is the kernel's page, which a
    ///     library called.
    func returnAddresses(
        from stackPointer: UInt64, depth: Int, library: MapEntry?
    ) throws(InspectionFailure) -> [Observation.ReturnAddress] {
        var library = library
        var found: [Observation.ReturnAddress] = []
        let words = view.memory.words(stackPointer, count: depth, size: wordSize)
        guard !words.isEmpty else { throw InspectionFailure(errno: EFAULT, reading: "stack") }
        for word in words {
            // The first page and the kernel's half hold no code of a process.
            guard word > 0x1000, word < 0x7FFF_FFFF_F000, let entry = view.space.executableEntry(at: word - 1) else {
                continue
            }
            if let library, entry.isSameImage(as: library) { continue }
            if Self.isLoader(entry) || !CallInstruction.precedes(word, in: view.memory) { continue }
            let region = view.region(of: entry, at: word)
            if region.backing == .kernel { continue }
            if library == nil, !region.backing.isUnbacked {
                library = entry
                continue
            }
            found.append(.init(address: word, region: region))
            if found.count == Self.most || (!wantsDeeper && !found[0].region.backing.isUnbacked) { break }
        }
        return found
    }

    /// A name is enough here: a mapping that is passed over only makes the scan go on.
    static func isLoader(_ entry: MapEntry) -> Bool {
        guard entry.inode != 0, let slash = entry.name.utf8.lastIndex(of: UInt8(ascii: "/")) else { return false }
        return entry.name[slash...].hasPrefix("/ld-") || entry.name[slash...].hasPrefix("/ld.so")
    }
}
