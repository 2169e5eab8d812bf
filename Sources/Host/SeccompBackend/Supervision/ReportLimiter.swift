// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// Limits the reports of processes that call in a loop. The calls are answered in any case, and what is not reported is counted.
///
/// Noise must not hide an attack. So the limits weigh: evidence of a whole attack, with code that was not reported before, has
/// much more room than what is light or known; no process has all the room; and the last of it is for processes that have not
/// reported in the window.
struct ReportLimiter {
    /// What a report would be of.
    struct Candidate {
        var key: ReportKey
        var process: Int32
        /// The strongest evidence, in points.
        var points: Int
        /// A hash of the code.
        var code: Int
    }

    static let windowMilliseconds: Int64 = 10_000
    /// Reports in a window of one caller with the same code.
    static let maxReportsPerCaller = 3
    /// Reports in a window whose evidence is light, or whose code was reported before.
    static let maxLightReports = 200
    /// All reports of one process in a window. With what others may report it is as much as can wait for a reader
    /// (``SeccompBackend/maxBufferedReports``).
    static let maxReportsOfProcess = 1024
    /// All reports in a window.
    static let maxReports = 2048
    /// How many of them are kept for processes that have not reported in the window.
    static let reserve = 256
    /// For how many pieces of code it is known that they were reported, the latest.
    static let maxCodes = 4096
    /// Evidence of so many points is a whole attack by itself.
    static let fullPoints = 100

    private struct Caller: Hashable {
        var key: ReportKey
        var code: Int
    }

    private var windowStart: Int64 = .min
    private var callers: [Caller: Int] = [:]
    private var processes: [Int32: Int] = [:]
    private var light = 0
    private var total = 0
    private var codes: Set<Int> = []
    private var codesInOrder: [Int] = []
    private var oldestCode = 0

    /// Whether a report may be made now. A clock that is set back begins a new window.
    mutating func allows(_ candidate: Candidate, nowMilliseconds now: Int64) -> Bool {
        if windowStart == .min || now < windowStart || now - windowStart >= Self.windowMilliseconds { beginWindow(now) }
        let caller = Caller(key: candidate.key, code: candidate.code)
        let ofProcess = processes[candidate.process, default: 0]
        let isLight = candidate.points < Self.fullPoints || codes.contains(candidate.code)
        guard callers[caller, default: 0] < Self.maxReportsPerCaller, ofProcess < Self.maxReportsOfProcess,
            total < Self.maxReports - (ofProcess == 0 ? 0 : Self.reserve),
            !isLight || light < Self.maxLightReports
        else { return false }
        callers[caller, default: 0] += 1
        processes[candidate.process, default: 0] += 1
        total += 1
        if isLight { light += 1 }
        remember(candidate.code)
        return true
    }

    private mutating func beginWindow(_ now: Int64) {
        windowStart = now
        callers.removeAll(keepingCapacity: true)
        processes.removeAll(keepingCapacity: true)
        light = 0
        total = 0
    }

    private mutating func remember(_ code: Int) {
        guard codes.insert(code).inserted else { return }
        if codesInOrder.count < Self.maxCodes {
            codesInOrder.append(code)
        } else {
            codes.remove(codesInOrder[oldestCode])
            codesInOrder[oldestCode] = code
            oldestCode = (oldestCode + 1) % Self.maxCodes
        }
    }
}
