// SPDX-License-Identifier: Apache-2.0

import Captures
import Foundation
import HostFrontEnd
import StreamReassembly

/// The results of a search so far, and its progress line.
struct VerifyTally: Sendable {
    var files = 0
    /// Captures among the files, of which only the raw bytes were searched.
    var captures = 0
    /// In bytes: how much of files' holes was passed over.
    var holeBytes = 0
    var streams = 0
    private var leftOut = ReassemblyTally()
    private var bytes = 0
    private var hitCount = 0
    private var skippedCount = 0
    private var hits: [VerifyReport.Hit] = []
    private var skipped: [VerifyReport.Skipped] = []
    /// How many hits and skipped files are stored; all are counted.
    private let maxListed: Int
    private let start = ContinuousClock.now
    private var shown: ContinuousClock.Instant
    private var isLineOpen = false
    private let isTerminal = isatty(FileHandle.standardError.fileDescriptor) == 1

    init(maxListed: Int) {
        self.maxListed = maxListed
        shown = start
    }

    private var seconds: Double { (ContinuousClock.now - start) / .seconds(1) }

    mutating func add(bytes: Int, hits: [VerifyReport.Hit]) {
        self.bytes += bytes
        hitCount += hits.count
        self.hits += hits.prefix(max(0, maxListed - self.hits.count))
    }

    mutating func skip(_ file: VerifyReport.Skipped) {
        skippedCount += 1
        if skipped.count < maxListed { skipped.append(file) }
    }

    /// What was read of a capture. A capture that was not read to its end, or holds nothing that could be, counts as not
    /// searched.
    mutating func add(_ summary: CaptureReader.Summary, of file: String) {
        leftOut.add(summary.tally)
        if let failure = summary.failure {
            skip(.init(path: file, reason: "it was read up to frame \(summary.frames), then: \(failure)"))
        }
        if summary.tally.cutPackets > 0 {
            skip(.init(path: file, reason: "of \(summary.tally.cutPackets) packets it has only the beginning (a snapshot length)"))
        }
        if summary.frames > 0, summary.skippedFrames == summary.frames {
            skip(.init(path: file, reason: "none of its \(summary.frames) frames holds TCP or UDP (\(summary.tally.skippedKinds))"))
        }
    }

    /// Rewrites one line on a terminal; in a file, writes a line now and then.
    mutating func showProgress(of total: Int?) {
        let now = ContinuousClock.now
        guard now - shown >= (isTerminal ? .milliseconds(250) : .seconds(10)) else { return }
        shown = now
        let share = total.map { " of \($0)" } ?? ""
        let rate = String(format: "%.2f GB, %.0f MB/s", Double(bytes) / 1e9, Double(bytes) / 1e6 / max(seconds, 1e-9))
        let line = "\(files)\(share) files, \(streams) streams, \(rate), \(hitCount) hits"
        isLineOpen = isTerminal
        Console.say(isTerminal ? "\r\(line)\u{1B}[K" : "epitope: \(line)\n")
    }

    mutating func endProgress() {
        if isLineOpen { Console.say("\r\u{1B}[K") }
        isLineOpen = false
    }

    func report(signatures: Int, refusals: [VerifyRules.Refusal]) -> VerifyReport {
        VerifyReport(
            signatures: signatures, refusedRuleCount: refusals.count, refusedRules: Array(refusals.prefix(maxListed)), files: files,
            captureFiles: captures, holeBytes: holeBytes, streams: streams, skippedFrames: leftOut.skippedFrames,
            skippedKinds: leftOut.skipped, ignoredSegments: leftOut.ignoredSegments, gaps: leftOut.gaps, endedEarly: leftOut.endedEarly,
            lostFragments: leftOut.lostFragments, bytes: bytes, seconds: seconds, hitCount: hitCount,
            hits: hits.sorted { ($0.source, $0.offset, $0.signature) < ($1.source, $1.offset, $1.signature) },
            skippedCount: skippedCount, skipped: skipped.sorted { $0.path < $1.path })
    }
}
