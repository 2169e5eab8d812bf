// SPDX-License-Identifier: Apache-2.0

import CKernelProgram
import EpitopeModel
import Foundation

/// The kernel program's events in their order. Each stays where it is until its room is given back, so that one that was
/// read by an agent which was then killed is read again by the next.
struct EventRing: ~Copyable {
    private let pointer: OpaquePointer

    init(of program: LoadedProgram) throws(EpitopeError) {
        var failure: Int32 = 0
        guard let ring = epitope_ring_open(program.events, &failure) else {
            throw EpitopeError(
                .kernelProgramRefused, "the kernel program's events can't be read (\(String(cString: strerror(-failure))))",
                remedy: "see that the machine has memory to spare, and start the agent again")
        }
        pointer = ring
    }

    deinit {
        epitope_ring_close(pointer)
    }

    /// The next event, and the place up to which room is given back with it. An event that says nothing is `nil`.
    mutating func take() -> (event: KernelEvent?, place: UInt64)? {
        var length = 0
        var place: UInt64 = 0
        guard let record = epitope_ring_take(pointer, &length, &place) else { return nil }
        // An event ends with the last of its payload that is used. What lies behind it in the ring, which is mapped twice in a
        // row, can be read and is not looked at.
        guard length >= epitope_event_least() else { return (nil, place) }
        return (KernelEvent(record.assumingMemoryBound(to: epitope_event.self)), place)
    }

    /// To be called where another reader may have worked since.
    mutating func restart() { epitope_ring_restart(pointer) }

    mutating func giveBack(_ place: UInt64) { epitope_ring_give_back(pointer, place) }

    /// Until there may be an event, at most so long.
    func wait(milliseconds: Int32) { _ = epitope_ring_wait(pointer, milliseconds) }
}

/// Events that were taken and whose room is still theirs: reports that nobody has done with yet, and what came after them.
struct PendingEvents {
    private var entries: [(place: UInt64, call: Int?)] = []

    var isEmpty: Bool { entries.isEmpty }

    /// - Parameter call: the number of the call that was reported, from 0 on; `nil` where nothing is to be waited for.
    mutating func add(_ place: UInt64, call: Int?) { entries.append((place, call)) }

    /// The place up to which room can be given back when so many calls are done with; `nil`: there is no more than before.
    mutating func settle(callsDone: Int) -> UInt64? {
        let first = entries.firstIndex { $0.call.map { $0 >= callsDone } ?? false } ?? entries.count
        guard first > 0 else { return nil }
        defer { entries.removeFirst(first) }
        return entries[first - 1].place
    }
}
