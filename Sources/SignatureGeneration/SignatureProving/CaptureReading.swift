// SPDX-License-Identifier: Apache-2.0

import Captures
import StreamReassembly

/// How much of the captures was read that a check needed.
struct CaptureReading {
    /// A capture of which frames were not read, or none at all.
    private(set) var unread: [String] = []
    /// What else is to be said: captures that are empty yet, or end within a frame.
    private(set) var remarks: [String] = []
    /// The first few of those that were not read though there was time: paths, or capture sets.
    private(set) var unlooked: [String] = []
    /// Files beside captures that are none.
    private var others: [String] = []
    private var otherCount = 0
    private var unreadCount = 0
    private var hasEndedEarly = false
    private var remarkCount = 0

    /// How many are named.
    private static let maxNamed = 3

    /// Whether all frames of all captures were read.
    var isComplete: Bool { unreadCount == 0 }

    /// Whether, besides, no connection was left out of what was read.
    /// Nor a file that may be a capture in a form that is not read, such as a compressed one.
    var isWithoutLoss: Bool { isComplete && !hasEndedEarly && otherCount == 0 }

    /// - Parameter place: the file, or the capture set, that is worth another look; `nil`: there was no time, and there won't be.
    mutating func add(unread reason: String, at place: String?) {
        unreadCount += 1
        if unread.count < Self.maxNamed { unread.append(reason) }
        if let place, unlooked.count < Self.maxNamed { unlooked.append(place) }
    }

    mutating func add(other file: String) {
        otherCount += 1
        if others.count < Self.maxNamed { others.append(file) }
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
        case .failed: add(unread: upTo, at: summary.hadNoTime ? nil : file)
        }
        let tally = summary.tally
        if summary.frames > 0, tally.skippedFrames == summary.frames {
            add(unread: "\(file): none of its \(summary.frames) frames holds TCP or UDP (\(tally.skippedKinds))", at: file)
        }
        if tally.cutPackets > 0 {
            add(unread: "\(file): of \(tally.cutPackets) packets it has only the beginning (a snapshot length)", at: file)
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
        return list("not read", unread, unreadCount) + list("not looked at, for they are no captures", others, otherCount)
            + list("read as far as it goes", remarks, remarkCount)
    }
}
