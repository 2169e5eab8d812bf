// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import EpitopeModel
import Glibc
import ProcessInspection

/// Finds exactly what a library will return to, by the unwind tables of its image.
///
/// Where the tables don't tell (frames that are measured from another register, images without tables, code made at run
/// time, 32-bit code), there is no answer, and ``ReturnAddressScan`` has to do.
struct CallerWalk {
    /// The most frames of one library that are passed: a critical call is made a few functions deep.
    static let mostFrames = 64
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

    /// The first return address outside of the image that the instruction pointer lies in. It follows a call
    /// instruction: code that went into the library by a jump, with a return address of its choice, isn't believed.
    func caller(from instructionPointer: UInt64, stackPointer: UInt64, _ tables: inout ImageTables) -> Caller? {
        guard instructionPointer > 0, let library = space.span(at: instructionPointer - 1) else { return nil }
        return withUnsafeTemporaryAllocation(byteCount: Self.firstRead, alignment: 8) { room in
            let got = max(0, epitope_read_memory(memory.thread, stackPointer, room.baseAddress, room.count))
            var span = library
            var address = instructionPointer
            var top = stackPointer
            for _ in 0..<Self.mostFrames {
                let size = tables.frameSize(
                    at: address, in: span, isAfterSystemCall: address == instructionPointer, thread: memory.thread
                ) {
                    space.entry(at: address - 1)?.name ?? ""
                }
                let (next, overflow) = top.addingReportingOverflow(UInt64(size))
                guard size > 0, !overflow, let word = word(at: next - 8, stackPointer, room, got) else { return nil }
                guard word > 0x1000, word < 0x7FFF_FFFF_F000, let place = space.span(at: word - 1), place.flags & 4 != 0 else {
                    return nil
                }
                top = next
                address = word
                span = place
                if place.inode == library.inode, place.device_major == library.device_major,
                    place.device_minor == library.device_minor
                {
                    continue
                }
                return CallInstruction.precedes(word, in: memory) ? Caller(address: word, span: place, stackPointer: top) : nil
            }
            return nil
        }
    }

    /// A word of the stack: out of what was read already, if it is there.
    private func word(
        at address: UInt64, _ start: UInt64, _ room: UnsafeMutableRawBufferPointer, _ count: Int
    ) -> UInt64? {
        let offset = address &- start
        if count >= 8, offset <= UInt64(count - 8) { return room.loadUnaligned(fromByteOffset: Int(offset), as: UInt64.self) }
        var word: UInt64 = 0
        return epitope_read_memory(memory.thread, address, &word, 8) == 8 ? word : nil
    }
}
