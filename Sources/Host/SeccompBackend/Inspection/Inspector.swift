// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import CSeccomp
import EpitopeModel
import Glibc
import ProcessInspection

/// Observes a process whose critical call is stalled, from outside of it.
///
/// It keeps files open from call to call, so it must be used on one thread only.
final class Inspector {
    let classifier = BackingClassifier()
    /// Whether to look for return addresses beyond the caller even if the caller is backed.
    var wantsDeeper: Bool
    let source: AddressSpace.Source
    private var threads: ThreadFilesCache
    private var tables = ImageTables()

    init(
        wantsDeeper: Bool, source: AddressSpace.Source = .automatic, maxCachedThreads: Int = ThreadFilesCache.defaultCapacity
    ) {
        threads = ThreadFilesCache(capacity: maxCachedThreads)
        self.wantsDeeper = wantsDeeper
        self.source = source
    }

    /// Observes a call; `nil` if it surely gives no evidence. For a caller in unbacked memory the observation includes the
    /// send buffer and the caller's code.
    func observe(_ call: PendingCall) throws(InspectionFailure) -> Observation? {
        let (files, registers) = try threads.files(of: call.thread, executes: call.kind.family == .exec)
        let view = ProcessView(
            memory: ProcessMemory(thread: call.thread), space: AddressSpace(files, source: source),
            pages: PageTable(files), classifier: classifier, stackPointer: registers.stack_pointer)
        if isBenign(call, view) { return nil }
        return try observeFully(call, view)
    }

    /// The fast path for nearly all calls: made by an image, for a caller that is known exactly and lies in an image too. It
    /// reads nothing that such a call doesn't need. In any doubt the call is observed fully.
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

    private func observeFully(_ call: PendingCall, _ view: ProcessView) throws(InspectionFailure) -> Observation {
        guard call.instructionPointer > 0, let entry = view.space.entry(at: call.instructionPointer - 1) else {
            throw InspectionFailure(errno: EFAULT, reading: "the mapping of the instruction pointer")
        }
        let is64Bit = Self.is64BitCode(call, view)
        let region = view.region(of: entry, at: call.instructionPointer)
        var observation = Observation(
            architecture: is64Bit ? .x86_64 : .x86_32, call: call.kind, instructionPointer: call.instructionPointer,
            region: region)
        // A direct call is recognised without the stack.
        if !region.backing.isUnbacked || wantsDeeper {
            let finder = ReturnAddressFinder(
                scan: ReturnAddressScan(view: view, wordSize: is64Bit ? 8 : 4, wantsDeeper: wantsDeeper))
            observation.returnAddresses = try finder.returnAddresses(of: call, region, entry, &tables)
        }
        if let caller = observation.unbackedCaller {
            observation.callersCode = Self.code(of: caller, view.memory)
            if call.kind.family == .send {
                observation.sendBuffer = SendBufferReader(call: call, memory: view.memory).sendBuffer()
            }
        }
        return observation
    }

    /// Whether 64-bit code made the call. It can make 32-bit calls, too: then its stack or code lies beyond 4 GiB.
    private static func is64BitCode(_ call: PendingCall, _ view: ProcessView) -> Bool {
        call.interface == .x86_64 || view.stackPointer > UInt64(UInt32.max) || call.instructionPointer > UInt64(UInt32.max)
    }

    /// The pieces of the caller's code to look for in a send buffer.
    private static func code(of caller: Observation.ReturnAddress, _ memory: ProcessMemory) -> [[UInt8]] {
        let (start, count) = CallerCode.range(aroundCaller: caller.address, regionStart: caller.region.start)
        return CallerCode.pieces(of: memory.read(start, count), startingAt: start, callersAddress: caller.address)
    }
}
