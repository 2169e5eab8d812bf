// SPDX-License-Identifier: Apache-2.0

import Captures
import StreamReassembly

/// How much of the captures was read that a check needed.
struct CaptureReading {
    /// A capture of which frames were not read, or none at all.
    private(set) var unread: [String] = []
    /// What else is to be said: captures that are empty yet, or end within a frame.
    private(set) var remarks: [String] = []
    private var unreadCount = 0
    private var hasEndedEarly = false
    private var remarkCount = 0

    /// How many are named.
    private static let maxNamed = 3

    /// Whether all frames of all captures were read.
    var isComplete: Bool { unreadCount == 0 }

    /// Whether, besides, no connection was left out of what was read.
    var isWithoutLoss: Bool { isComplete && !hasEndedEarly }

    mutating func add(unread reason: String) {
        unreadCount += 1
        if unread.count < Self.maxNamed { unread.append(reason) }
    }

    mutating func add(remark: String) {
        remarkCount += 1
        if remarks.count < Self.maxNamed { remarks.append(remark) }
    }

    /// What was read of a file.
    ///
    /// A file that ends within a frame has no further frames: it is being written, or its recorder was stopped.
    mutating func add(_ summary: CaptureReader.Summary, of file: String) {
        let upTo = "\(file) up to frame \(summary.frames): \(summary.failure ?? "")"
        switch summary.end {
        case .whole, .stopped: break
        case .cut: add(remark: upTo)
        case .failed: add(unread: upTo)
        }
        let tally = summary.tally
        if summary.frames > 0, tally.skippedFrames == summary.frames {
            add(unread: "\(file): none of its \(summary.frames) frames holds TCP or UDP (\(tally.skippedKinds))")
        }
        if tally.cutPackets > 0 {
            add(unread: "\(file): of \(tally.cutPackets) packets it has only the beginning (a snapshot length)")
        }
        if tally.endedEarly > 0 {
            hasEndedEarly = true
            add(remark: "\(file): \(tally.endedEarly) connections were ended early, to keep to the bounds of memory")
        }
    }

    /// For people: begins with "; " where there is something to say.
    var text: String {
        func list(_ what: String, _ named: [String], _ count: Int) -> String {
            guard count > 0 else { return "" }
            return "; \(what): " + named.joined(separator: "; ") + (count > named.count ? "; and \(count - named.count) more" : "")
        }
        return list("not read", unread, unreadCount) + list("read as far as it goes", remarks, remarkCount)
    }
}
