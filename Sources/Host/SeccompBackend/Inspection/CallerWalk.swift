// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import CSeccomp
import EpitopeModel
import Glibc
import ProcessInspection
import UnwindTables

/// Finds exactly what a library will return to, by the unwind tables of its image, and checks each return address on the way
/// against the function that was entered.
///
/// Where the tables don't tell (frames that are measured from another register, images without tables, code made at run
/// time, 32-bit code), ``ReturnAddressScan`` is used instead.
struct CallerWalk {
    /// How many frames of one library are unwound: a critical call is made a few functions deep.
    static let maxFrames = 64
    /// How much of the stack is read at once, in bytes: most libraries' frames of a call fit.
    static let firstRead = 256

    /// A return address, with the stack as it is once the code before it has returned.
    struct Frame {
        var address: UInt64
        var span: epitope_span
        /// `nil` if no file stands behind the mapping, or it can't be had.
        var image: CodeImage?
        var stackPointer: UInt64
        var check = Observation.CallCheck.possible
        /// Whether it lies in the library itself, at a call that anybody can have any function called by.
        var isCallback = false
        /// Whether it, or a frame before it on the same walk, was entered by a call that can be checked.
        var isVouchedFor = false
    }

    enum Outcome {
        /// The first return address outside of the library, or the first one inside that can't be one.
        case caller(Frame)
        /// What stands where a return address must be is none; why.
        case noReturnAddress(String)
        /// At this address the kernel's trampoline stands for a return address, which the kernel holds (uretprobe).
        case returnProbe(UInt64)
        /// The tables don't tell beyond a frame.
        case unknown(Frame, entered: EntryCheck.Entered?)
    }

    let view: ProcessView
    /// Whether the call starts a program. The library's functions for that consist of several, none of which is a callback.
    let startsProgram: Bool

    /// Walks from an instruction pointer out of its image.
    ///
    /// - Parameter isInCall: whether the thread is in the system call before the instruction pointer.
    func caller(from instructionPointer: UInt64, stackPointer: UInt64, isInCall: Bool = true) -> Outcome {
        guard instructionPointer > 1, let library = view.space.span(at: instructionPointer - 1) else {
            return .unknown(Frame(address: instructionPointer, span: epitope_span(), stackPointer: stackPointer), entered: nil)
        }
        return caller(
            of: Frame(address: instructionPointer, span: library, image: view.image(of: library), stackPointer: stackPointer),
            isInCall: isInCall)
    }

    /// Walks from a frame out of its image.
    ///
    /// - Parameter pass: called with each frame that the walk comes to, the caller's included.
    func caller(of first: Frame, isInCall: Bool, passing pass: (Frame) -> Void = { _ in }) -> Outcome {
        let (stackPointer, library) = (first.stackPointer, first.span)
        return withUnsafeTemporaryAllocation(byteCount: Self.firstRead, alignment: 8) { buffer in
            let count = max(0, epitope_read_memory(view.memory.thread, stackPointer, buffer.baseAddress, buffer.count))
            let words = StackWords(memory: view.memory, start: stackPointer, bytes: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            var frame = first
            frame.isVouchedFor = false
            for depth in 0..<Self.maxFrames {
                guard let (function, entered) = function(of: frame, isAfterSystemCall: isInCall && depth == 0) else {
                    return .unknown(frame, entered: nil)
                }
                guard case .size(let size) = function.frame else {
                    return .unknown(frame, entered: function.frame == .otherRegister ? entered : nil)
                }
                var next: Frame
                switch step(frame, size, words) {
                case .success(let found): next = found
                case .failure(.returnProbe(let address)): return .returnProbe(address)
                case .failure(.noReturnAddress(let reason)):
                    if depth > 0, isStartOfThread(frame) { return .unknown(frame, entered: nil) }
                    return .noReturnAddress(reason)
                }
                let previous = frame
                next.isVouchedFor = frame.isVouchedFor
                frame = next
                pass(frame)
                guard let image = frame.image else { return .caller(frame) }
                let isInLibrary = frame.span.isSameImage(as: library)
                switch check(frame, image, entered) {
                case .possible: frame.isVouchedFor = true
                case .impossible:
                    // A handler of a signal returns to code that ends the signal; its function was entered by the kernel.
                    if depth > 0 || !isInCall, isSignalReturn(frame, image) { return .unknown(frame, entered: nil) }
                    if depth > 0, isStartOfThread(previous) { return .unknown(previous, entered: nil) }
                    frame.check = .impossible(reason: "the call before it can't enter \(name(of: entered))")
                    return .caller(frame)
                case .unchecked:
                    if !isInLibrary {
                        // Whoever calls a function without a name was given it: a program's main, a thread's first.
                        if depth == 0 || isCallback(entered) { frame.check = .unchecked }
                        return .caller(frame)
                    }
                    // A callback of the library's own, such as a thread's start, into a function that others call by name.
                    if depth == 0 || startsProgram, isCallback(entered) {
                        frame.check = .unchecked
                        frame.isCallback = true
                        return .caller(frame)
                    }
                }
                if !isInLibrary { return .caller(frame) }
            }
            return .unknown(frame, entered: nil)
        }
    }

    /// A function, for a person.
    private func name(of entered: EntryCheck.Entered) -> String {
        entered.image.definedFunctions()?.name(at: entered.range.lowerBound)
            ?? "the function at 0x\(String(entered.range.lowerBound, radix: 16)) of its image"
    }

    private enum Problem: Error {
        case noReturnAddress(String)
        case returnProbe(UInt64)
    }

    /// The function that a frame's address lies in, and what was entered with it.
    private func function(
        of frame: Frame, isAfterSystemCall: Bool
    ) -> (UnwindTable.Function, EntryCheck.Entered)? {
        guard let image = frame.image, frame.address > frame.span.start, frame.address <= frame.span.end,
            let function = image.function(
                endingAt: frame.span.offset &+ (frame.address - frame.span.start), isAfterSystemCall: isAfterSystemCall)
        else { return nil }
        return (function, EntryCheck.Entered(image: image, range: function.range))
    }

    /// The frame that another one returns to.
    private func step(_ frame: Frame, _ size: Int, _ words: StackWords) -> Result<Frame, Problem> {
        let (end, overflow) = frame.stackPointer.addingReportingOverflow(UInt64(size))
        guard !overflow, let word = words.word(at: end - 8) else {
            return .failure(.noReturnAddress("the stack ends before its return address"))
        }
        if view.isReturnProbe(word) { return .failure(.returnProbe(word)) }
        guard AddressSpace.codeAddresses.contains(word), let span = view.space.span(at: word - 1), span.protection.contains(.execute) else {
            return .failure(.noReturnAddress("there is no code at 0x\(String(word, radix: 16)), to which it would return"))
        }
        return .success(Frame(address: word, span: span, image: view.image(of: span), stackPointer: end))
    }

    private func check(_ frame: Frame, _ image: CodeImage, _ entered: EntryCheck.Entered) -> EntryCheck.Result {
        var check = EntryCheck(view, entered: entered)
        return check.check(returnAddress: frame.address, in: frame.span, of: image)
    }

    /// Whether a library's function is one that others call by its name, alone or through another.
    private func isCallback(_ entered: EntryCheck.Entered) -> Bool {
        entered.image.isNamedEntry(entered.range)
    }

    /// How close behind its system call a function that clones a thread calls the thread's first function, in bytes.
    private static let startOfThread = 24
    private static let systemCall: [UInt8] = [0x0F, 0x05]

    /// Whether the call before an address is the first one of a thread: a call through a register right behind a system call, as in the
    /// functions of sanitizers and of C libraries that clone. There is nothing to return to there, whatever the tables say of its
    /// parent and whatever stands on its stack.
    private func isStartOfThread(_ frame: Frame) -> Bool {
        guard let image = frame.image,
            let end = image.headers?.address(ofFileOffset: frame.span.offset &+ (frame.address - frame.span.start))
        else { return false }
        let before = image.bytes(endingAt: end, count: Self.startOfThread)
        guard CallForm.readings(of: before, endingAt: end).contains(.indirect) else { return false }
        return zip(before, before.dropFirst()).contains { [$0, $1] == Self.systemCall }
    }

    /// `mov $15, %rax; syscall`: what a signal's handler returns to (rt_sigreturn).
    private static let signalReturn: [UInt8] = [0x48, 0xC7, 0xC0, 0x0F, 0, 0, 0, 0x0F, 0x05]

    private func isSignalReturn(_ frame: Frame, _ image: CodeImage) -> Bool {
        image.headers?.address(ofFileOffset: frame.span.offset &+ (frame.address - frame.span.start)).map {
            image.bytes(at: $0, count: Self.signalReturn.count) == Self.signalReturn
        } ?? false
    }
}

/// Words of a stack, of which the first bytes were read already.
private struct StackWords {
    let memory: ProcessMemory
    /// The address of the first byte that was read.
    let start: UInt64
    let bytes: UnsafeRawBufferPointer

    func word(at address: UInt64) -> UInt64? {
        let offset = address &- start
        if bytes.count >= 8, offset <= UInt64(bytes.count - 8) {
            return bytes.loadUnaligned(fromByteOffset: Int(offset), as: UInt64.self)
        }
        var word: UInt64 = 0
        return epitope_read_memory(memory.thread, address, &word, 8) == 8 ? word : nil
    }
}
