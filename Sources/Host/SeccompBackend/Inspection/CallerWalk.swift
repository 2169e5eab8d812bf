// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import EpitopeModel
import Glibc
import ProcessInspection

/// Finds exactly what a library will return to, by the unwind tables of its image.
///
/// Where the tables don't tell (frames that are measured from another register, images without tables, code made at run
/// time, 32-bit code), there is no answer, and ``ReturnAddressScan`` is used instead.
struct CallerWalk {
    /// How many frames of one library are unwound: a critical call is made a few functions deep.
    static let maxFrames = 64
    /// How much of the stack is read at once, in bytes: most libraries' frames of a call fit.
    static let firstRead = 256

    struct Caller {
        var address: UInt64
        var span: epitope_span
        /// The stack pointer once the library has returned.
        var stackPointer: UInt64
    }

    let memory: ProcessMemory
    let space: AddressSpace

    /// The first return address outside of the image that the instruction pointer lies in. It must follow a call
    /// instruction: code that jumped into the library, with a return address of its choice, isn't believed.
    func caller(from instructionPointer: UInt64, stackPointer: UInt64, _ tables: inout ImageTables) -> Caller? {
        guard instructionPointer > 0, let library = space.span(at: instructionPointer - 1) else { return nil }
        return withUnsafeTemporaryAllocation(byteCount: Self.firstRead, alignment: 8) { buffer in
            let count = max(0, epitope_read_memory(memory.thread, stackPointer, buffer.baseAddress, buffer.count))
            let words = StackWords(memory: memory, start: stackPointer, bytes: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            var frame = Caller(address: instructionPointer, span: library, stackPointer: stackPointer)
            for _ in 0..<Self.maxFrames {
                let isAfterSystemCall = frame.address == instructionPointer
                guard let next = unwind(frame, isAfterSystemCall: isAfterSystemCall, words, &tables) else { return nil }
                frame = next
                if frame.span.isSameImage(as: library) { continue }
                return memory.hasCallInstruction(endingAt: frame.address) ? frame : nil
            }
            return nil
        }
    }

    /// The frame that another one returns to; `nil` where the tables don't tell, or the word isn't a return address.
    private func unwind(
        _ frame: Caller, isAfterSystemCall: Bool, _ words: StackWords, _ tables: inout ImageTables
    ) -> Caller? {
        let size = tables.frameSize(
            at: frame.address, in: frame.span, isAfterSystemCall: isAfterSystemCall, thread: memory.thread
        ) {
            space.entry(at: frame.address - 1)?.name ?? ""
        }
        let (end, overflow) = frame.stackPointer.addingReportingOverflow(UInt64(size))
        guard size > 0, !overflow, let word = words.word(at: end - 8), AddressSpace.codeAddresses.contains(word),
            let span = space.span(at: word - 1), span.protection.contains(.execute)
        else { return nil }
        return Caller(address: word, span: span, stackPointer: end)
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
