// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
public import StreamReassembly

/// Reads the streams of captures (pcap, pcapng).
public enum CaptureReader {
    /// How a file ended.
    public enum End: Hashable, Sendable {
        case whole
        /// In the middle of a frame, as it does while it is being written: all frames before were read.
        case cut
        /// A part of it can't be read, or there was no time for it: what follows was not read.
        case failed
        /// The caller wanted no more.
        case stopped
    }

    /// How much of a capture was read.
    public struct Summary: Hashable, Sendable {
        public var frames = 0
        public var end = End.whole
        /// Why reading ended before the end of the file; `nil` if all was read, or the caller wanted no more.
        public var failure: String?
        /// What reassembly left out.
        public var tally = ReassemblyTally()
        /// What reassembly cost (``StreamReassembly/StreamReassembly/work``).
        public var work = 0

        /// Nothing read yet.
        public init() {}

        /// Frames without a part of a stream.
        public var skippedFrames: Int { tally.skippedFrames }
        /// Whether the file ended before all of it was read.
        public var isCutShort: Bool { failure != nil }
        /// Whether that is since there was no time.
        public var hadNoTime = false
    }

    /// Reads one file from beginning to end.
    ///
    /// - Parameters:
    ///   - reads: does what may hang; `nil`: it is waited for.
    ///   - deadline: when reading ends, the body's time included; `nil` for never. What was not read then is a failure.
    ///   - body: called with each stream when it, or a part of it, is complete; returns whether to continue.
    /// - Throws: `capture-unreadable`, `capture-empty`, and errors of `body`.
    @discardableResult
    public static func streams(
        in path: String, bounds: ReassemblyBounds = .init(), reads: BoundedReads? = nil, deadline: ContinuousClock.Instant? = nil,
        _ body: (CapturedStream) throws -> Bool
    ) throws -> Summary {
        var file = try CaptureFrames(path: path, reads: reads)
        var reassembly = StreamReassembly(bounds: bounds)
        var summary = Summary()
        while summary.hasTime(until: deadline), let frame = summary.next(of: &file) {
            for stream in reassembly.add(frame) where try !body(stream) { return summary.stopped }
        }
        while let streams = reassembly.endOldest() {
            for stream in streams where try !body(stream) { return summary.stopped }
        }
        (summary.tally, summary.work) = (reassembly.tally, reassembly.work)
        return summary
    }
}

extension CaptureReader {
    /// Whether a file can be read and is no capture by its first bytes: a log, an index, or compressed in a form that is not read.
    public static func isOther(_ path: String, reads: BoundedReads? = nil) -> Bool { CaptureFrames.isOther(path, reads: reads) }
}

extension CaptureReader.Summary {
    /// How many frames are read between two looks at the clock.
    private static let framesBetweenLooks = 256

    fileprivate var stopped: Self {
        var summary = self
        (summary.end, summary.failure) = (.stopped, nil)
        return summary
    }

    fileprivate mutating func hasTime(until deadline: ContinuousClock.Instant?) -> Bool {
        guard let deadline, frames % Self.framesBetweenLooks == 0, ContinuousClock.now >= deadline else { return true }
        (end, failure, hadNoTime) = (.failed, "there was no time to read on", true)
        return false
    }

    fileprivate mutating func next(of file: inout CaptureFrames) -> CapturedFrame? {
        do throws(CaptureEnd) {
            let frame = try file.next()
            frames += 1
            return frame
        } catch {
            switch error {
            case .whole: end = .whole
            case .cut(let reason): (end, failure) = (.cut, reason)
            case .failed(let reason): (end, failure) = (.failed, reason)
            }
            return nil
        }
    }
}

extension StreamReassembly {
    fileprivate mutating func add(_ frame: CapturedFrame) -> [CapturedStream] {
        guard let link = LinkType(rawValue: Int32(frame.link)) else {
            skip(link: frame.link)
            return []
        }
        return add(frame.bytes, link: link, milliseconds: frame.milliseconds, isCut: frame.isCut)
    }
}
