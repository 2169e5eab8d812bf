// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import CSeccomp
import EpitopeModel
import Glibc
import ProcessInspection

/// Finds the return addresses of a stalled call: exactly where unwind tables allow it, else by a scan of the stack.
struct ReturnAddressFinder {
    let scan: ReturnAddressScan

    /// A stack that leads to a caller, and the code that it was entered the kernel from.
    private struct Stack {
        var instructionPointer: UInt64
        /// The memory that the instruction pointer lies in.
        var region: MemoryRegion
        var entry: MapEntry
        var stackPointer: UInt64
        /// How many words are scanned at most.
        var maxWords: Int
    }

    /// The return addresses outside of the library, from the innermost outwards.
    ///
    /// - Parameters:
    ///   - region: the memory that the call's instruction pointer lies in.
    ///   - entry: its mapping.
    func returnAddresses(
        of call: PendingCall, _ region: MemoryRegion, _ entry: MapEntry, _ tables: inout ImageTables
    ) throws(InspectionFailure) -> [Observation.ReturnAddress] {
        let own = Stack(
            instructionPointer: call.instructionPointer, region: region, entry: entry, stackPointer: scan.view.stackPointer,
            maxWords: ReturnAddressScan.maxWords)
        let found: [Observation.ReturnAddress]
        do {
            found = try returnAddresses(on: own, &tables)
        } catch {
            if region.backing.isUnbacked { return [] }
            throw error
        }
        guard found.isEmpty, call.kind.family == .exec, !region.backing.isUnbacked else { return found }
        return try parentsReturnAddresses(of: call.thread, &tables)
    }

    /// A child of vfork or posix_spawn executes on a stack of its own in its parent's memory: the parent, which waits,
    /// has the caller on its stack.
    private func parentsReturnAddresses(
        of thread: pid_t, _ tables: inout ImageTables
    ) throws(InspectionFailure) -> [Observation.ReturnAddress] {
        guard let parent = VforkParent.registers(ofParentOf: thread), parent.instruction_pointer > 0,
            let entry = scan.view.space.entry(at: parent.instruction_pointer - 1)
        else { return [] }
        let region = scan.view.region(of: entry, at: parent.instruction_pointer)
        if region.backing.isUnbacked { return [.init(address: parent.instruction_pointer, region: region)] }
        let stack = Stack(
            instructionPointer: parent.instruction_pointer, region: region, entry: entry, stackPointer: parent.stack_pointer,
            maxWords: ReturnAddressScan.maxParentWords)
        return try returnAddresses(on: stack, &tables)
    }

    /// The exact caller if the library's unwind tables allow it, followed by return addresses further up; otherwise the
    /// result of a scan of the whole stack.
    private func returnAddresses(
        on stack: Stack, _ tables: inout ImageTables
    ) throws(InspectionFailure) -> [Observation.ReturnAddress] {
        let library = stack.region.backing == .kernel ? nil : stack.entry
        guard let (caller, stackPointer) = exactCaller(on: stack, &tables) else {
            return try scan.returnAddresses(from: stack.stackPointer, maxWords: stack.maxWords, library: library)
        }
        guard scan.wantsDeeper || caller.region.backing.isUnbacked else { return [caller] }
        // The stack may end right there.
        let further = (try? scan.returnAddresses(from: stackPointer, maxWords: stack.maxWords, library: library)) ?? []
        return [caller] + further.prefix(ReturnAddressScan.maxFound - 1)
    }

    /// The caller by the library's unwind tables, with the stack pointer once the library has returned; `nil` where they
    /// don't tell.
    private func exactCaller(
        on stack: Stack, _ tables: inout ImageTables
    ) -> (caller: Observation.ReturnAddress, stackPointer: UInt64)? {
        let view = scan.view
        let walk = CallerWalk(memory: view.memory, space: view.space)
        guard scan.wordSize == 8, case .image = stack.region.backing,
            let caller = walk.caller(from: stack.instructionPointer, stackPointer: stack.stackPointer, &tables),
            let entry = view.space.entry(at: caller.address - 1), !ReturnAddressScan.isLoader(entry)
        else { return nil }
        let region = view.region(of: entry, at: caller.address)
        // The kernel's page as the caller means a signal frame: the library's function is a signal handler.
        guard region.backing != .kernel else { return nil }
        return (Observation.ReturnAddress(address: caller.address, region: region), caller.stackPointer)
    }
}
