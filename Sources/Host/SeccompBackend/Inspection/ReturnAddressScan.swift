// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import CSeccomp
import EpitopeModel
import Glibc
import ProcessInspection

/// Scans a stack for the code that a library will return to.
///
/// A word in unbacked executable memory counts as a return address whatever stands before it: code that jumps into the
/// library, or returns into it, leaves no call; only where stacks are executable, one in writable memory must follow a call. A word in an image counts if it follows a call instruction that can have
/// entered the library's function, as far as that is known. Words in the library's own image are its inner frames and are
/// skipped, as are the dynamic loader's. The first one outside is the library's caller. A stale word in an unused slot of the
/// library's frame may be mistaken for it, so this is only used where ``CallerWalk`` can't tell.
struct ReturnAddressScan {
    /// How many words are scanned of a caller's own stack, and of the stack of a parent that waits for its child.
    static let maxWords = 512
    static let maxParentWords = 2048
    /// How many words are scanned in a process with unbacked executable memory, if there is no caller among the first, where
    /// the library's frame may be as long as its caller wishes.
    static let maxMarkedWords = 128 << 10
    private static let wordsAtOnce = 2048
    /// How many return addresses are collected.
    static let maxFound = 8

    let view: ProcessView
    let wordSize: Int
    /// Whether to continue after the first one outside of the library: what lies further up is weak evidence, and takes time.
    let wantsDeeper: Bool

    /// Where a scan begins and what it looks for.
    struct Start {
        var stackPointer: UInt64
        var maxWords: Int
        /// The mapping that the instruction pointer lies in; `nil` when that is the kernel's page, which a library called.
        var library: MapEntry?
        /// The library's function that a caller must have entered; `nil` if that isn't known.
        var entered: EntryCheck.Entered?
        /// Whether to go on to ``maxMarkedWords`` in a process with unbacked executable memory.
        var isWide = false
        /// Whether words in unbacked memory must follow a call instruction, too.
        var wantsCalls = false
    }

    func returnAddresses(_ start: Start) throws(InspectionFailure) -> [Observation.ReturnAddress] {
        let hasExecutableStack = view.space.entry(at: start.stackPointer)?.protection.contains(.execute) ?? false
        var search = Search(library: start.library, hasExecutableStack: hasExecutableStack)
        var address = start.stackPointer
        var rest = start.maxWords
        var isExtended = false
        while true {
            let count = min(rest, Self.wordsAtOnce)
            let words = view.memory.words(address, count: count, size: wordSize)
            if words.isEmpty, address == start.stackPointer { throw InspectionFailure(errno: EFAULT, reading: "stack") }
            for word in words where look(at: word, start, &search) { return search.found }
            address &+= UInt64(words.count * wordSize)
            rest -= words.count
            if words.count < count { break }
            guard rest == 0 else { continue }
            guard search.found.isEmpty, start.isWide, !isExtended, view.hasUnbackedCode() else { break }
            isExtended = true
            rest = Self.maxMarkedWords - start.maxWords
        }
        if search.found.isEmpty, let guess = search.unchecked { return [guess] }
        return search.found
    }

    private struct Search {
        var library: MapEntry?
        let hasExecutableStack: Bool
        var found: [Observation.ReturnAddress] = []
        /// The first word that follows a call which can't be checked, or that a return probe put there.
        var unchecked: Observation.ReturnAddress?
    }

    /// Looks at a word; whether the search is over.
    private func look(at word: UInt64, _ start: Start, _ search: inout Search) -> Bool {
        if view.isReturnProbe(word) {
            // It may be a stale word, too: what else is found counts more.
            if search.unchecked == nil { search.unchecked = view.returnProbe(at: word) }
            return false
        }
        guard AddressSpace.codeAddresses.contains(word), let entry = view.space.executableEntry(at: word - 1) else { return false }
        if let library = search.library, entry.isSameImage(as: library) || Self.isLoader(entry) { return false }
        let region = view.region(of: entry, at: word)
        if region.backing == .kernel { return false }
        var found = Observation.ReturnAddress(address: word, region: region)
        if region.backing.isUnbacked {
            // Further up, a word of a just-in-time compiler's is a frame of its own only after a call. So is one in writable memory
            // where stacks are executable: pointers into those lie all over them.
            let isData = search.hasExecutableStack && entry.protection.contains(.write)
            if start.wantsCalls || !search.found.isEmpty || isData, !view.memory.hasCallInstruction(endingAt: word) {
                return false
            }
        } else {
            guard view.memory.hasCallInstruction(endingAt: word) else { return false }
            if search.library == nil {
                search.library = entry
                return false
            }
            if search.found.isEmpty, let entered = start.entered, let image = view.image(of: epitope_span(entry)) {
                var check = EntryCheck(view, entered: entered)
                switch check.check(returnAddress: word, in: epitope_span(entry), of: image) {
                case .possible: break
                case .impossible: return false
                case .unchecked:
                    found.check = .unchecked
                    if search.unchecked == nil { search.unchecked = found }
                    return false
                }
            }
        }
        search.found.append(found)
        return search.found.count == Self.maxFound || (!wantsDeeper && !search.found[0].region.backing.isUnbacked)
    }

    /// Whether a mapping is the dynamic loader's. Its name is enough here: skipping a mapping only makes the scan go on.
    static func isLoader(_ entry: MapEntry) -> Bool { entry.inode != 0 && isLoader(named: entry.name) }

    static func isLoader(named name: String) -> Bool {
        guard let slash = name.utf8.lastIndex(of: UInt8(ascii: "/")) else { return false }
        return name[slash...].hasPrefix("/ld-") || name[slash...].hasPrefix("/ld.so")
    }
}
