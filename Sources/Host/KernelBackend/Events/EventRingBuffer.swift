// SPDX-License-Identifier: Apache-2.0

import CKernelProgram
import EpitopeModel
import Foundation

/// The kernel program's events in their order. Each stays in the ring buffer until it is released, so that the next agent reads
/// again what an agent had read that was then killed.
struct EventRingBuffer: ~Copyable {
    private let pointer: OpaquePointer

    /// - Throws: `kernel-program-refused`.
    init(of program: LoadedProgram) throws(EpitopeError) {
        var failure: Int32 = 0
        guard let ring = epitope_ring_buffer_open(program.events, &failure) else {
            throw EpitopeError(
                .kernelProgramRefused, "the kernel program's events can't be read: \(String(cString: strerror(-failure)))",
                remedy: "check that the machine has free memory, and start the agent again")
        }
        pointer = ring
    }

    deinit {
        epitope_ring_buffer_close(pointer)
    }

    /// The next event, and the position to release it by. The event is `nil` if it can't be decoded.
    mutating func next() -> (event: KernelEvent?, position: UInt64)? {
        var length = 0
        var position: UInt64 = 0
        guard let record = epitope_ring_buffer_next(pointer, &length, &position) else { return nil }
        // An event ends with the last byte of its payload that is used. The memory behind it is readable, since the ring is mapped
        // twice in a row, and is not looked at.
        guard length >= epitope_repetition_bytes() else { return (nil, position) }
        let event = KernelEvent(record.assumingMemoryBound(to: epitope_event.self))
        guard length >= epitope_event_min_bytes() || event?.isRepetition == true else { return (nil, position) }
        return (event, position)
    }

    /// Returns to the first event that was not released: another reader may have worked since this one was opened.
    mutating func rewind() { epitope_ring_buffer_rewind(pointer) }

    /// Releases an event and all before it.
    mutating func release(_ position: UInt64) { epitope_ring_buffer_release(pointer, position) }

    /// Waits until there may be an event, at most that long.
    func wait(milliseconds: Int32) { _ = epitope_ring_buffer_wait(pointer, milliseconds) }
}
