// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Reads events from the ring buffer, handles each, and releases its room once its report is acknowledged.
struct RingReader: ~Copyable {
    private var ring: EventRingBuffer
    private var pending = PendingEvents()
    private let handler: EventHandler

    /// The longest that the end of a reader waits for all reports to be acknowledged, and then for the one that the consumer is working on.
    private static let maxEndTime: (all: Duration, last: Duration) = (.seconds(8), .seconds(2))
    /// The longest that one wait for events takes.
    private static let waitMilliseconds: Int32 = 20

    init(_ ring: consuming EventRingBuffer, handler: EventHandler) {
        self.ring = ring
        self.handler = handler
    }

    /// Returns to the first event that was not released.
    mutating func rewind() { ring.rewind() }

    /// Reads the events that are there, and releases what can be.
    ///
    /// - Parameter settle: called behind each event.
    mutating func readOnce(_ settle: () -> Void) {
        readAll(settle)
        release()
    }

    /// Waits a moment for more events.
    func waitForMore() { ring.wait(milliseconds: Self.waitMilliseconds) }

    /// Reads and handles the events that are there.
    mutating func readAll(_ settle: () -> Void = {}) {
        while let (event, position) = ring.next() {
            pending.add(position, report: event.flatMap(handler.handle))
            settle()
        }
    }

    /// Waits until every report is acknowledged.
    mutating func waitForAll() {
        while !isReleased(within: .seconds(1)) {}
    }

    /// Waits for acknowledgements for a limited time. Reports that are not acknowledged then are reported again by the next agent.
    mutating func waitForHandover() {
        if isReleased(within: Self.maxEndTime.all) { return }
        handler.reports.cut()
        _ = isReleased(within: Self.maxEndTime.last)
    }

    private mutating func release() {
        if let position = pending.settle(acknowledged: handler.reports.takeAcknowledged()) { ring.release(position) }
    }

    /// Waits until every report is acknowledged, at most that long. Whether that is so.
    private mutating func isReleased(within time: Duration) -> Bool {
        let deadline = ContinuousClock.now + time
        repeat {
            release()
            if pending.isEmpty { return true }
            usleep(1000)
        } while ContinuousClock.now < deadline
        return false
    }
}
