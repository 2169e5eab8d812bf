// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import CSeccomp
import EpitopeModel
import Glibc
import ProcessInspection

/// Looks at a process whose critical call is stalled, from outside of it, and says what was seen.
///
/// It keeps open files from call to call, so it is for one thread.
final class Inspector {
    let classifier = BackingClassifier()
    /// Whether return addresses beyond the caller are wanted though the caller is backed.
    var wantsDeeper: Bool
    let source: AddressSpace.Source
    private var threads: ThreadFilesCache
    private var tables = ImageTables()

    init(wantsDeeper: Bool, source: AddressSpace.Source = .automatic, keptThreads: Int = ThreadFilesCache.most) {
        threads = ThreadFilesCache(capacity: keptThreads)
        self.wantsDeeper = wantsDeeper
        self.source = source
    }

    /// What was seen; `nil` for a call that surely gives no evidence. For a caller in unbacked memory the send buffer
    /// and the caller's code are part of it.
    func observe(_ call: PendingCall) throws(InspectionFailure) -> Observation? {
        let (files, registers) = try threads.files(of: call.thread, executes: call.call.family == .exec)
        let view = ProcessView(
            memory: ProcessMemory(thread: call.thread), space: AddressSpace(files, source: source),
            pages: PageTable(files), classifier: classifier, stackPointer: registers.stack_pointer)
        if isBenign(call, view) { return nil }
        // 32-bit calls are made by 64-bit code too; its stack tells.
        let isWide =
            call.interface == .x86_64 || registers.stack_pointer > UInt64(UInt32.max)
            || call.instructionPointer > UInt64(UInt32.max)

        guard call.instructionPointer > 0, let entry = view.space.entry(at: call.instructionPointer - 1) else {
            throw InspectionFailure(errno: EFAULT, reading: "the mapping of the instruction pointer")
        }
        let region = view.region(of: entry, at: call.instructionPointer)
        var observation = Observation(
            architecture: isWide ? .x86_64 : .x86_32, call: call.call, instructionPointer: call.instructionPointer,
            region: region)
        // A direct call needs no stack to be told.
        if !region.backing.isUnbacked || wantsDeeper {
            let scan = ReturnAddressScan(view: view, wordSize: isWide ? 8 : 4, wantsDeeper: wantsDeeper)
            observation.returnAddresses = try returnAddresses(of: call, region, entry, scan)
        }
        if let caller = observation.unbackedCaller {
            observation.callersCode = Self.code(around: caller, view.memory)
            if call.call.family == .send {
                observation.sendBuffer = SendBufferReader(call: call, memory: view.memory).sendBuffer()
            }
        }
        return observation
    }

    /// The short way for what nearly all calls are: made by an image, for a caller that is known exactly and lies in an
    /// image too. Asks nothing that such a call doesn't need; any doubt is left to the long way.
    private func isBenign(_ call: PendingCall, _ view: ProcessView) -> Bool {
        guard !wantsDeeper, call.interface == .x86_64, call.instructionPointer > 1,
            let span = view.space.span(at: call.instructionPointer - 1),
            view.isPlainImage(span, at: call.instructionPointer)
        else { return false }
        let walk = CallerWalk(memory: view.memory, space: view.space)
        guard let caller = walk.caller(from: call.instructionPointer, stackPointer: view.stackPointer, &tables),
            view.isPlainImage(caller.span, at: caller.address), let entry = view.space.entry(at: caller.address - 1)
        else { return false }
        return !ReturnAddressScan.isLoader(entry)
    }

    private func returnAddresses(
        of call: PendingCall, _ region: MemoryRegion, _ entry: MapEntry, _ scan: ReturnAddressScan
    ) throws(InspectionFailure) -> [Observation.ReturnAddress] {
        let found: [Observation.ReturnAddress]
        do {
            found = try returnAddresses(
                from: call.instructionPointer, stackPointer: scan.view.stackPointer, depth: ReturnAddressScan.depth,
                region, entry, scan)
        } catch {
            if region.backing.isUnbacked { return [] }
            throw error
        }
        guard found.isEmpty, call.call.family == .exec, !region.backing.isUnbacked else { return found }
        return try parentsReturnAddresses(of: call.thread, scan)
    }

    /// A child of vfork or posix_spawn executes on a stack of its own in its parent's memory: the parent, which waits,
    /// has the caller on its stack.
    private func parentsReturnAddresses(
        of thread: pid_t, _ scan: ReturnAddressScan
    ) throws(InspectionFailure) -> [Observation.ReturnAddress] {
        guard let parent = WaitingParent.find(of: thread), parent.instruction_pointer > 0,
            let entry = scan.view.space.entry(at: parent.instruction_pointer - 1)
        else { return [] }
        let region = scan.view.region(of: entry, at: parent.instruction_pointer)
        if region.backing.isUnbacked { return [.init(address: parent.instruction_pointer, region: region)] }
        return try returnAddresses(
            from: parent.instruction_pointer, stackPointer: parent.stack_pointer, depth: ReturnAddressScan.parentDepth,
            region, entry, scan)
    }

    /// The exact caller where the library's unwind tables tell it, and what the stack above it holds; else what the
    /// whole stack holds.
    private func returnAddresses(
        from instructionPointer: UInt64, stackPointer: UInt64, depth: Int, _ region: MemoryRegion, _ entry: MapEntry,
        _ scan: ReturnAddressScan
    ) throws(InspectionFailure) -> [Observation.ReturnAddress] {
        let library = region.backing == .kernel ? nil : entry
        let walk = CallerWalk(memory: scan.view.memory, space: scan.view.space)
        guard scan.wordSize == 8, case .image = region.backing,
            let caller = walk.caller(from: instructionPointer, stackPointer: stackPointer, &tables),
            let callersEntry = scan.view.space.entry(at: caller.address - 1), !ReturnAddressScan.isLoader(callersEntry)
        else {
            return try scan.returnAddresses(from: stackPointer, depth: depth, library: library)
        }
        let callersRegion = scan.view.region(of: callersEntry, at: caller.address)
        // From the kernel's page: a signal's frame, whose handler the library's function is.
        guard callersRegion.backing != .kernel else {
            return try scan.returnAddresses(from: stackPointer, depth: depth, library: library)
        }
        let exact = Observation.ReturnAddress(address: caller.address, region: callersRegion)
        guard wantsDeeper || callersRegion.backing.isUnbacked else { return [exact] }
        // The stack may end right there.
        let further = (try? scan.returnAddresses(from: caller.stackPointer, depth: depth, library: library)) ?? []
        return [exact] + further.prefix(ReturnAddressScan.most - 1)
    }

    /// The 32 bytes that end at the caller's address, and the 32 around it. Where the region begins later, what there
    /// is of them, down to 16: fewer are found by chance.
    private static func code(around caller: Observation.ReturnAddress, _ memory: ProcessMemory) -> [[UInt8]] {
        let before = min(caller.address - min(caller.region.start, caller.address), 32)
        let ending = memory.read(caller.address - before, Int(before))
        let around = memory.read(caller.address - min(before, 16), Int(min(before, 16)) + 16)
        return [ending, around].filter { $0.count >= 16 }
    }
}
