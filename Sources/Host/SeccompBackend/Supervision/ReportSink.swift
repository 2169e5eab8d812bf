// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// Takes what a supervisor finds. Called on the supervisor's thread.
protocol ReportSink: Sendable {
    /// Called before a reported call is answered, even if ``ReportLimiter`` suppresses its report.
    func willAnswer(_ key: ReportKey)
    /// Takes a report; `false` if the buffer is full.
    func report(_ detection: Detection) -> Bool
    func notify(_ notice: SeccompBackend.Notice)
}

/// The streams of a backend: reports and notices, both bounded. When a buffer is full, the newest element is dropped.
struct ReportStreams<Notice: Sendable>: Sendable {
    let detections: AsyncStream<Detection>
    let notices: AsyncStream<Notice>
    private let detectionsEnd: AsyncStream<Detection>.Continuation
    private let noticesEnd: AsyncStream<Notice>.Continuation

    /// - Parameter maxBuffered: how many elements of each stream wait for a reader.
    init(maxBuffered: Int) {
        (detections, detectionsEnd) = AsyncStream.makeStream(of: Detection.self, bufferingPolicy: .bufferingOldest(maxBuffered))
        (notices, noticesEnd) = AsyncStream.makeStream(of: Notice.self, bufferingPolicy: .bufferingOldest(maxBuffered))
    }

    /// `false` if the buffer is full.
    func report(_ detection: Detection) -> Bool {
        if case .enqueued = detectionsEnd.yield(detection) { true } else { false }
    }

    func notify(_ notice: Notice) { noticesEnd.yield(notice) }

    func finish() {
        detectionsEnd.finish()
        noticesEnd.finish()
    }
}

extension ReportStreams: ReportSink where Notice == SeccompBackend.Notice {
    func willAnswer(_ key: ReportKey) {}
}
