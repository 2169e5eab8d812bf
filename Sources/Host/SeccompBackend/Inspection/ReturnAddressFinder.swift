// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import CSeccomp
import EpitopeModel
import Glibc
import ProcessInspection
import UnwindTables

/// Finds the return addresses of a stalled call: exactly where unwind tables allow it, else by a scan of the stack.
struct ReturnAddressFinder {
    let scan: ReturnAddressScan
    let call: PendingCall

    /// A stack that leads to a caller, and the code that it was entered the kernel from.
    private struct Stack {
        var instructionPointer: UInt64
        /// The memory that the instruction pointer lies in.
        var region: MemoryRegion
        var entry: MapEntry
        var stackPointer: UInt64
        /// How many words are scanned at most.
        var maxWords: Int
        /// Whether it is that of the thread that made the call.
        var isOwn = true
    }

    /// How many frames beyond the caller are checked where other threads may change the stack.
    private static let maxFramesBeyond = 8
    /// How many words a frame that can't be measured may have: programs keep buffers in theirs.
    private static let maxFrameWords = 4096
    /// How far up the stack a frame pointer may lead, in bytes: a thread's whole default stack.
    private static let maxFrameDistance: UInt64 = 8 << 20
    /// How many return addresses are checked of a frame that can't be measured, beyond the caller: each ordinary call of a program
    /// with frame pointers and unbacked code takes the time.
    private static let maxChecksBeyond = 32

    private var view: ProcessView { scan.view }
    private var walk: CallerWalk { CallerWalk(view: view, startsProgram: call.kind.family == .exec) }

    /// The return addresses outside of the library, from the innermost outwards.
    ///
    /// - Parameters:
    ///   - region: the memory that the call's instruction pointer lies in.
    ///   - entry: its mapping.
    func returnAddresses(
        _ region: MemoryRegion, _ entry: MapEntry
    ) throws(InspectionFailure) -> [Observation.ReturnAddress] {
        let own = Stack(
            instructionPointer: call.instructionPointer, region: region, entry: entry, stackPointer: view.stackPointer,
            maxWords: ReturnAddressScan.maxWords)
        let found: [Observation.ReturnAddress]
        do {
            found = try returnAddresses(on: own)
        } catch {
            if region.backing.isUnbacked { return [] }
            throw error
        }
        guard found.isEmpty, call.kind.family == .exec, !region.backing.isUnbacked else { return found }
        return try parentsReturnAddresses(of: call.thread)
    }

    /// A child of vfork or posix_spawn executes on a stack of its own in its parent's memory: the parent, which waits,
    /// has the caller on its stack.
    private func parentsReturnAddresses(of thread: pid_t) throws(InspectionFailure) -> [Observation.ReturnAddress] {
        guard let parent = VforkParent.registers(ofParentOf: thread), parent.instruction_pointer > 0,
            let entry = view.space.entry(at: parent.instruction_pointer - 1)
        else { return [] }
        let region = view.region(of: entry, at: parent.instruction_pointer)
        if region.backing.isUnbacked { return [.init(address: parent.instruction_pointer, region: region)] }
        let stack = Stack(
            instructionPointer: parent.instruction_pointer, region: region, entry: entry, stackPointer: parent.stack_pointer,
            maxWords: ReturnAddressScan.maxParentWords, isOwn: false)
        return try returnAddresses(on: stack)
    }

    /// The exact caller if the library's unwind tables allow it, followed by return addresses further up; otherwise the
    /// result of a scan of the stack.
    private func returnAddresses(on stack: Stack) throws(InspectionFailure) -> [Observation.ReturnAddress] {
        let library = stack.region.backing == .kernel ? nil : stack.entry
        var start = ReturnAddressScan.Start(stackPointer: stack.stackPointer, maxWords: stack.maxWords, library: library)
        guard scan.wordSize == 8, case .image = stack.region.backing else { return try scan.returnAddresses(start) }
        switch outcome(on: stack) {
        case .caller(let frame):
            // posix_spawn has its child call exec through a pointer; whom it does so for stands on the parent's stack.
            if frame.isCallback, isVforkChild(stack) { return [] }
            guard var caller = returnAddress(frame) else { return try scan.returnAddresses(start) }
            if caller.check == .unchecked || frame.isCallback, view.hasUnbackedCode() {
                switch origin(of: frame) {
                case .unbacked(let told): return [told, caller]
                case .image: if !frame.isCallback { caller.check = .possible }
                case .disagreement(let reason): caller.check = .impossible(reason: reason)
                case .unknown: break
                }
            }
            guard scan.wantsDeeper || caller.region.backing.isUnbacked else { return [caller] }
            // The stack may end right there.
            start.stackPointer = frame.stackPointer
            start.wantsCalls = true
            let further = (try? scan.returnAddresses(start)) ?? []
            return [caller] + further.prefix(ReturnAddressScan.maxFound - 1)
        case .returnProbe(let address):
            if isVforkChild(stack) { return [] }
            return view.returnProbe(at: address).map { [$0] } ?? []
        case .noReturnAddress(let reason): return [impossible(stack, reason)]
        case .unknown(let frame, let entered):
            start.stackPointer = frame.stackPointer
            start.entered = entered
            // A program's own function keeps pointers to code that it made at run time; a library's keeps none, but its frame
            // may be as long as its caller wishes.
            let isNamed = entered.map { $0.image.isNamedEntry($0.range) }
            start.wantsCalls = isNamed == false
            start.isWide = isNamed == true
            let found: [Observation.ReturnAddress]
            do {
                found = try scan.returnAddresses(start)
            } catch {
                // The stack of a thread, or of a child of posix_spawn, may end right behind the frames that were found.
                guard start.stackPointer != stack.stackPointer, isVforkChild(stack) || !view.hasUnbackedCode() else { throw error }
                return []
            }
            guard found.isEmpty, start.isWide, view.hasUnbackedCode() else { return found }
            if isVforkChild(stack) { return [] }
            if let entered, let caller = caller(throughLibraryInto: entered, from: frame.stackPointer) { return [caller] }
            // Whoever entered the function left a return address: it was hidden.
            return [impossible(stack, "no call on its stack can have entered it")]
        }
    }

    /// The caller of another function of the library, that called the one whose frame can't be measured (`execlp` calls `execvpe`).
    private func caller(throughLibraryInto function: EntryCheck.Entered, from stackPointer: UInt64) -> Observation.ReturnAddress? {
        var (entered, start) = (function, stackPointer)
        for _ in 0..<Self.maxFramesBeyond {
            guard let next = frameBehindCall(of: entered, from: start) else { return nil }
            guard next.image === entered.image else { return returnAddress(next) }
            switch walk.caller(of: next, isInCall: false) {
            case .caller(let outer) where outer.check == .possible: return returnAddress(outer)
            case .unknown(let inner, let further?): (entered, start) = (further, inner.stackPointer)
            default: return nil
            }
        }
        return nil
    }

    /// Whether a stack is that of a child which executes a program while its parent waits.
    private func isVforkChild(_ stack: Stack) -> Bool {
        stack.isOwn && call.kind.family == .exec && VforkParent.registers(ofParentOf: call.thread) != nil
    }

    /// That the call can't have come about as it seems.
    private func impossible(_ stack: Stack, _ reason: String) -> Observation.ReturnAddress {
        Observation.ReturnAddress(address: stack.instructionPointer, region: stack.region, check: .impossible(reason: reason))
    }

    /// The walk out of the library. Where a frame can't be measured of a function that only its own image calls, the walk
    /// goes on behind the call that entered it.
    private func outcome(on stack: Stack) -> CallerWalk.Outcome {
        var outcome = walk.caller(from: stack.instructionPointer, stackPointer: stack.stackPointer)
        for _ in 0..<Self.maxFramesBeyond {
            guard case .unknown(let frame, let entered?) = outcome, !entered.image.isNamedEntry(entered.range),
                let next = frameBehindCall(of: entered, from: frame.stackPointer), next.image === entered.image
            else { break }
            outcome = walk.caller(of: next, isInCall: false)
        }
        return outcome
    }

    /// `nil` where a scan may know better: the caller is the kernel's page.
    private func returnAddress(_ frame: CallerWalk.Frame) -> Observation.ReturnAddress? {
        guard let entry = view.space.entry(at: frame.address - 1) else { return nil }
        let region = view.region(of: entry, at: frame.address)
        // The kernel's page as the caller means a signal frame: the library's function is a signal handler.
        guard region.backing != .kernel else { return nil }
        var found = Observation.ReturnAddress(address: frame.address, region: region, check: frame.check)
        if region.backing.isUnbacked {
            found.check = .possible
        } else if frame.image == nil, !view.memory.hasCallInstruction(endingAt: frame.address) {
            found.check = .impossible(reason: "no call stands before it")
        } else if frame.isCallback, view.hasUnbackedCode() {
            found.check = .impossible(reason: "a callback of the library entered its own function")
        }
        return found
    }

    /// Who had a caller call that can't be checked.
    private enum Origin {
        /// Unbacked code, which told it what to call.
        case unbacked(Observation.ReturnAddress)
        /// An image, by a call that can be checked.
        case image
        /// The frames behind it don't fit; why.
        case disagreement(String)
        case unknown
    }

    /// Follows the frames behind a caller whose call can't be checked until they tell who had it called.
    private func origin(of caller: CallerWalk.Frame) -> Origin {
        var frame = caller
        // Whether some frame behind it was entered by a call that can be checked.
        var isVouchedFor = false
        for _ in 0..<Self.maxFramesBeyond {
            switch walk.caller(of: frame, isInCall: false) {
            case .noReturnAddress(let reason): return .disagreement("the frame behind it doesn't fit: \(reason)")
            case .caller(let next):
                if let found = returnAddress(next), found.region.backing.isUnbacked { return .unbacked(found) }
                switch next.check {
                case .possible: return .image
                case .impossible(let reason):
                    return .disagreement("the frame behind it, 0x\(String(next.address, radix: 16)), doesn't fit: \(reason)")
                case .unchecked: frame = next
                }
            case .unknown(let inner, let entered?):
                // Its frame can't be measured: the next one is behind a call that surely entered the function.
                if let next = frameBehindCall(of: entered, from: inner.stackPointer) {
                    guard next.span.isSameImage(as: inner.span) else { return .image }
                    isVouchedFor = true
                    frame = next
                } else {
                    return unbackedCall(from: inner.stackPointer).map { .unbacked($0) } ?? (isVouchedFor ? .image : .unknown)
                }
            case .unknown(_, nil), .returnProbe: return isVouchedFor ? .image : .unknown
            }
        }
        return isVouchedFor ? .image : .unknown
    }

    /// The first frame on a stack whose return address follows a call that can enter a function.
    private func frameBehindCall(of entered: EntryCheck.Entered, from stackPointer: UInt64) -> CallerWalk.Frame? {
        let words = view.memory.words(stackPointer, count: Self.maxFrameWords, size: 8)
        for (index, word) in words.enumerated() {
            guard AddressSpace.codeAddresses.contains(word), let entry = view.space.executableEntry(at: word - 1) else { continue }
            let span = epitope_span(entry)
            guard let image = view.image(of: span) else { continue }
            var check = EntryCheck(view, entered: entered)
            guard check.check(returnAddress: word, in: span, of: image) == .possible else { continue }
            return CallerWalk.Frame(address: word, span: span, image: image, stackPointer: stackPointer &+ UInt64(index + 1) * 8)
        }
        return nil
    }

    /// The first word on a stack that follows a call in unbacked memory.
    private func unbackedCall(from stackPointer: UInt64) -> Observation.ReturnAddress? {
        for word in view.memory.words(stackPointer, count: ReturnAddressScan.maxWords, size: 8) {
            guard AddressSpace.codeAddresses.contains(word), let entry = view.space.executableEntry(at: word - 1) else { continue }
            let region = view.region(of: entry, at: word)
            guard region.backing.isUnbacked, view.memory.hasCallInstruction(endingAt: word) else { continue }
            return Observation.ReturnAddress(address: word, region: region)
        }
        return nil
    }

    /// What the frames beyond a caller say of it.
    enum Beyond {
        /// They fit, as far as the tables tell.
        case fit
        /// The first of them can't be measured, and what lies on the stack further up looks as if it fits.
        case likely
        /// They don't; why.
        case unfit(String)
        /// Nothing behind the caller can be checked.
        case unknown
    }

    /// Whether the frames beyond the caller agree with it. Another thread of a process with unbacked code can put the address
    /// behind a true call in the place of the real return address; it then has to make up the frames behind it as well.
    ///
    /// - Parameters:
    ///   - address: the caller's.
    ///   - pass: called with each frame beyond the caller.
    func framesBeyond(callerAt address: UInt64, passing pass: (CallerWalk.Frame) -> Void = { _ in }) -> Beyond {
        var frame: CallerWalk.Frame
        switch walk.caller(from: call.instructionPointer, stackPointer: view.stackPointer) {
        case .caller(let found) where found.address == address: frame = found
        case .unknown, .returnProbe: return .fit
        case .caller, .noReturnAddress: return .unfit("it changed while it was read")
        }
        // Whether some frame behind it was entered by a call that can be checked.
        var isVouchedFor = false
        for _ in 0..<Self.maxFramesBeyond {
            switch walk.caller(of: frame, isInCall: false, passing: pass) {
            case .unknown(let inner, let entered?):
                if isVouchedFor || inner.isVouchedFor { return .fit }
                let isLikely =
                    hasFrame(enteringInto: entered, from: inner.stackPointer) || unbackedCall(from: inner.stackPointer) != nil
                return isLikely ? .likely : .unknown
            // The stack ends, or the image has no tables.
            case .unknown(_, nil): return .fit
            case .returnProbe: return isVouchedFor ? .fit : .unknown
            case .noReturnAddress(let reason): return .unfit("the frame behind it doesn't fit: \(reason)")
            case .caller(let next):
                if next.image == nil {
                    // Code made at run time calls, as all code does.
                    if view.memory.hasCallInstruction(endingAt: next.address) { return .fit }
                    return .unfit("the frame behind it returns to unbacked memory, where no call stands")
                }
                if case .impossible(let reason) = next.check {
                    return .unfit("the frame behind it, 0x\(String(next.address, radix: 16)), doesn't fit: \(reason)")
                }
                isVouchedFor = isVouchedFor || next.isVouchedFor
                frame = next
            }
        }
        return .fit
    }

    /// Whether a return address on the stack follows a call that surely entered a function; or one that may have, and the frame ends
    /// as one does that is measured from the frame pointer: below its return address lies the next frame's pointer, which leads to
    /// such a frame, too.
    private func hasFrame(enteringInto entered: EntryCheck.Entered, from stackPointer: UInt64) -> Bool {
        let words = view.memory.words(stackPointer, count: ReturnAddressScan.maxWords, size: 8)
        var checks = 0
        for (index, word) in words.enumerated() where checks < Self.maxChecksBeyond {
            guard AddressSpace.codeAddresses.contains(word), let entry = view.space.executableEntry(at: word - 1),
                let image = view.image(of: epitope_span(entry))
            else { continue }
            checks += 1
            var check = EntryCheck(view, entered: entered)
            switch check.check(returnAddress: word, in: epitope_span(entry), of: image) {
            case .possible: return true
            case .unchecked where index > 0:
                if leadsToFrame(words[index - 1], from: stackPointer &+ UInt64(index) * 8) { return true }
            case .unchecked, .impossible: break
            }
        }
        return false
    }

    /// Whether a word is the pointer of a frame further up the stack: of the next one's pointer, or 0, and a return address.
    private func leadsToFrame(_ pointer: UInt64, from stackPointer: UInt64) -> Bool {
        guard pointer > stackPointer, pointer - stackPointer < Self.maxFrameDistance else { return false }
        let frame = view.memory.words(pointer, count: 2, size: 8)
        return frame.count == 2 && (frame[0] == 0 || frame[0] > pointer) && AddressSpace.codeAddresses.contains(frame[1])
            && view.memory.hasCallInstruction(endingAt: frame[1])
    }
}
