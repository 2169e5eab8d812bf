// SPDX-License-Identifier: Apache-2.0

import CKernelProgram

extension KernelBackend {
    /// Counted by the kernel program since it was loaded, or since the first of the agents that it was pinned for loaded it.
    public struct Statistics: Hashable, Sendable {
        /// Critical calls of processes that have, or had, unbacked executable memory.
        public var inspected: UInt64 = 0
        /// Reports. A process and caller's address are reported once.
        public var reported: UInt64 = 0
        /// Calls that were not reported again.
        public var repeated: UInt64 = 0
        /// Reports for which the ring buffer had no room.
        public var dropped: UInt64 = 0
        /// Calls denied, or answered with a signal.
        public var actedUpon: UInt64 = 0
        /// Calls that could not be inspected: the address space was busy, or no scratch space was free.
        public var uninspectable: UInt64 = 0
        /// Calls that an io_uring worker made, where the code that submitted the request is unknown.
        public var unattributable: UInt64 = 0
        /// Calls whose evidence was excluded.
        public var excluded: UInt64 = 0
        /// Address spaces marked.
        public var marked: UInt64 = 0
        /// Marks for which there was no room: processes that share a place with such a one count as marked, too, until there is room
        /// again and the agent has looked at all processes.
        public var marksWithoutRoom: UInt64 = 0
        /// Callers that could not be recorded for lack of room, of an io_uring's requests or of a new thread. Calls that depend on them
        /// can't be inspected.
        public var originsWithoutRoom: UInt64 = 0
        /// Calls that were held back until their caller's code was compared with its file.
        public var held: UInt64 = 0
        /// Calls that were judged without that comparison, since it didn't come in time, or there was no room to ask for it.
        public var unanswered: UInt64 = 0
    }
}

extension KernelBackend {
    /// Calls that were acted upon, by what became of the code that made them.
    public struct Cuts: Hashable, Sendable {
        /// It was overwritten.
        public var done: UInt64 = 0
        /// It should have been, and is there still, at least in part.
        public var failed: UInt64 = 0

        public init() {}
    }
}

extension KernelBackend.Statistics {
    /// - Parameter counters: by `epitope_counter`.
    init(_ counters: [UInt64]) {
        func value(_ counter: epitope_counter) -> UInt64 { counters[Int(counter.rawValue)] }
        self.init(
            inspected: value(EPITOPE_COUNT_INSPECTED), reported: value(EPITOPE_COUNT_REPORTED),
            repeated: value(EPITOPE_COUNT_REPEATED), dropped: value(EPITOPE_COUNT_DROPPED), actedUpon: value(EPITOPE_COUNT_ACTED),
            uninspectable: value(EPITOPE_COUNT_BUSY) + value(EPITOPE_COUNT_NO_ROOM),
            unattributable: value(EPITOPE_COUNT_UNATTRIBUTABLE), excluded: value(EPITOPE_COUNT_EXCLUDED),
            marked: value(EPITOPE_COUNT_MARKED), marksWithoutRoom: value(EPITOPE_COUNT_MARKS_FULL),
            originsWithoutRoom: value(EPITOPE_COUNT_NO_ORIGIN), held: value(EPITOPE_COUNT_HELD),
            unanswered: value(EPITOPE_COUNT_UNANSWERED))
    }
}
