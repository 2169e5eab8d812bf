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
    /// Whether to look for return addresses beyond the caller even if the caller is backed.
    var wantsDeeper: Bool
    let source: AddressSpace.Source
    private(set) var threads: ThreadFilesCache
    private let shared: ProcessView.Shared
    private let room = KnownPath.Room()

    /// - Parameter since: when the processes that are inspected began.
    init(
        wantsDeeper: Bool, since: WatchStart, source: AddressSpace.Source = .automatic,
        maxCachedThreads: Int = ThreadFilesCache.defaultCapacity
    ) {
        threads = ThreadFilesCache(capacity: maxCachedThreads)
        shared = ProcessView.Shared(since: since)
        self.wantsDeeper = wantsDeeper
        self.source = source
    }

    /// Observes a call; `nil` if it surely gives no evidence. For a caller in unbacked memory the observation includes the
    /// send buffer and the caller's code.
    func observe(_ call: PendingCall) throws(InspectionFailure) -> Observation? {
        let (files, registers) = try threads.files(of: call.thread, executes: call.kind.family == .exec)
        if !wantsDeeper, call.interface == .x86_64,
            files.paths.contain(call, stackPointer: registers.stack_pointer, room, hasOneThread: files.hasOneThread)
        {
            return nil
        }
        let view = ProcessView(
            memory: ProcessMemory(thread: call.thread), space: AddressSpace(files, source: source),
            pages: PageTable(files), shared: shared, stackPointer: registers.stack_pointer)
        shared.files.begin()
        if isBenign(call, view, files) { return nil }
        return try observeFully(call, view, files)
    }

    /// The fast path for nearly all calls: made by an image, for a caller that is known exactly, lies in an image too and can
    /// have made its call. It reads nothing that such a call doesn't need. In any doubt the call is observed fully.
    private func isBenign(_ call: PendingCall, _ view: ProcessView, _ files: ThreadFiles) -> Bool {
        guard !wantsDeeper, call.interface == .x86_64, call.instructionPointer > 1,
            let span = view.space.span(at: call.instructionPointer - 1), let library = view.image(of: span),
            view.isPlainImage(span, library, at: call.instructionPointer), Self.isOwnCall(call, span, library)
        else { return false }
        let walk = CallerWalk(view: view, startsProgram: call.kind.family == .exec)
        let own = CallerWalk.Frame(
            address: call.instructionPointer, span: span, image: library, stackPointer: view.stackPointer)
        var frames = [own]
        guard case .caller(let caller) = walk.caller(of: own, isInCall: true, passing: { frames.append($0) }),
            caller.check == .possible, let image = caller.image, !image.isLoader,
            view.isPlainImage(caller.span, image, at: caller.address)
        else { return false }
        let finder = ReturnAddressFinder(scan: ReturnAddressScan(view: view, wordSize: 8, wantsDeeper: false), call: call)
        // Other threads can change the stack while it is read.
        let hasOneThread = files.hasOneThread
        if !hasOneThread, view.hasUnbackedCode() {
            switch finder.framesBeyond(callerAt: caller.address) {
            case .fit: break
            case .likely: return true
            case .unfit, .unknown: return false
            }
        }
        files.paths.keep(call, stackPointer: view.stackPointer, room) {
            KnownPath(of: call, frames, finder, isOfOneThread: hasOneThread)
        }
        return true
    }

    /// Whether the code before a system call asks for that call. Code that jumps to the instruction itself, in a function for
    /// another call, brings its own number.
    private static func isOwnCall(_ call: PendingCall, _ span: epitope_span, _ image: CodeImage) -> Bool {
        switch image.requestedCall(endingAt: span.offset &+ (call.instructionPointer - span.start)) {
        case .unknown: true
        case .call(let requested): requested == call.kind
        }
    }

    private func observeFully(
        _ call: PendingCall, _ view: ProcessView, _ files: ThreadFiles
    ) throws(InspectionFailure) -> Observation {
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
                scan: ReturnAddressScan(view: view, wordSize: is64Bit ? 8 : 4, wantsDeeper: wantsDeeper), call: call)
            observation.returnAddresses = try finder.returnAddresses(region, entry)
            checkImages(&observation, call, entry, view, files, finder)
        }
        observation.packedProgram = Self.packedProgram(observation, entry, view)
        observation.deletedFile = Self.deletedFile(observation, entry, view)
        if let caller = observation.unbackedCaller {
            observation.pageDifference = Self.difference(at: caller, view)
            observation.callersCode = Self.code(of: caller, view.memory)
            if call.kind.family == .send {
                observation.sendBuffer = SendBufferReader(call: call, memory: view.memory).sendBuffer()
            }
        }
        return observation
    }

    /// What a call by an image, for a caller in an image, is checked for besides.
    private func checkImages(
        _ observation: inout Observation, _ call: PendingCall, _ entry: MapEntry, _ view: ProcessView, _ files: ThreadFiles,
        _ finder: ReturnAddressFinder
    ) {
        guard observation.unbackedCaller == nil, call.interface == .x86_64 else { return }
        let span = epitope_span(entry)
        if let library = view.image(of: span), !Self.isOwnCall(call, span, library) {
            observation.returnAddresses.append(
                .init(
                    address: call.instructionPointer, region: observation.region,
                    check: .impossible(reason: "the function there makes another call")))
        }
        guard let first = observation.returnAddresses.first else { return }
        switch first.check {
        case .impossible: return
        case .unchecked: observation.hasUnbackedCode = view.hasUnbackedCode()
        case .possible: break
        }
        guard !files.hasOneThread, view.hasUnbackedCode() else { return }
        switch finder.framesBeyond(callerAt: first.address) {
        case .fit, .likely: break
        case .unfit(let problem):
            observation.returnAddresses.append(.init(address: first.address, region: first.region, check: .impossible(reason: problem)))
        case .unknown:
            // Another thread may have put it there.
            observation.returnAddresses[0].check = .unchecked
            observation.hasUnbackedCode = true
        }
    }

    /// The packed executable whose code made the call, or called the library that made it.
    private static func packedProgram(_ observation: Observation, _ entry: MapEntry, _ view: ProcessView) -> String? {
        if case .image = observation.region.backing, let path = view.packedProgram(unpacking: entry, at: observation.instructionPointer) {
            return path
        }
        guard let caller = observation.returnAddresses.first, case .image = caller.region.backing,
            let mapping = view.space.entry(at: caller.address - 1)
        else { return nil }
        return view.packedProgram(unpacking: mapping, at: caller.address)
    }

    /// The program, or an image that the call came through, that was deleted while it runs.
    private static func deletedFile(_ observation: Observation, _ entry: MapEntry, _ view: ProcessView) -> String? {
        var images: [MapEntry] = []
        if case .image = observation.region.backing { images.append(entry) }
        if let caller = observation.returnAddresses.first, case .image = caller.region.backing, caller.address > 0,
            let mapping = view.space.entry(at: caller.address - 1)
        {
            images.append(mapping)
        }
        return DeletedFile.find(in: view.memory.thread, mappings: images)?.path
    }

    /// How a written page at the caller differs from its file, for a person.
    private static func difference(at caller: Observation.ReturnAddress, _ view: ProcessView) -> String? {
        guard case .writtenImagePage = caller.region.backing, let entry = view.space.entry(at: caller.address - 1) else { return nil }
        return view.comparison(of: entry, at: caller.address)?.description
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
