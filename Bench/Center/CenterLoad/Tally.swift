// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import Synchronization

/// What came of the messages of a run. Shared by all connections.
final class Tally: Sendable {
    private struct State: Sendable {
        var acknowledged = 0
        var toldToWait = 0
        var refused: [String: Int] = [:]
        var failed: [String: Int] = [:]
        var latencies: [Double] = []
        var longestWait = Duration.zero
        var first: ContinuousClock.Instant?
        var last: ContinuousClock.Instant?
    }

    private let state = Mutex(State())
    private let journal: Int32

    /// - Parameter journal: a file that gets a line with the id of each acknowledged packet, written before anything else is
    ///   done with it; `nil`: none.
    init(journal path: String?) {
        journal = path.map { open($0, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600) } ?? -1
    }

    var acknowledged: Int { state.withLock { $0.acknowledged } }

    func begin() {
        state.withLock { state in if state.first == nil { state.first = .now } }
    }

    func answered(_ answer: Answer, id: [UInt8]?, after duration: Duration) {
        if answer.status == 200, let id, journal >= 0 {
            let line = id + [10]
            _ = line.withUnsafeBytes { write(journal, $0.baseAddress, $0.count) }
        }
        let milliseconds = Double(duration.components.seconds) * 1e3 + Double(duration.components.attoseconds) / 1e15
        state.withLock { state in
            if (200..<300).contains(answer.status) {
                state.acknowledged += 1
                state.latencies.append(milliseconds)
                state.last = .now
            } else if answer.isToldToWait {
                state.toldToWait += 1
            } else {
                let body = String(decoding: answer.body.prefix(60), as: UTF8.self).filter { !$0.isNewline }
                state.refused["\(answer.status) \(body)", default: 0] += 1
            }
        }
    }

    /// - Parameter duration: between the first attempt at a packet and its acknowledgement.
    func waited(_ duration: Duration?) {
        guard let duration else { return }
        state.withLock { $0.longestWait = max($0.longestWait, duration) }
    }

    func failed(_ reason: String) {
        state.withLock { $0.failed[String(reason.prefix(80)), default: 0] += 1 }
    }

    /// The run in numbers, for the program that started this one.
    func summary(seconds: Double? = nil) -> [String: any Sendable] {
        state.withLock { state in
            let sorted = state.latencies.sorted()
            func quantile(_ share: Double) -> Double {
                sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
            }
            let took = state.first.flatMap { first in state.last.map { $0 - first } } ?? .zero
            let seconds = seconds ?? Double(took.components.seconds) + Double(took.components.attoseconds) / 1e18
            return [
                "acknowledged": state.acknowledged, "told_to_wait": state.toldToWait, "refused": state.refused.values.reduce(0, +),
                "unanswered": state.failed.values.reduce(0, +), "seconds": seconds,
                "per_s": seconds > 0 ? Double(state.acknowledged) / seconds : 0, "p50_ms": quantile(0.5), "p99_ms": quantile(0.99),
                "refusals": state.refused, "failures": state.failed,
                "longest_wait_s": Double(state.longestWait.components.seconds) + Double(state.longestWait.components.attoseconds) / 1e18,
            ]
        }
    }

    static func printLine(_ values: [String: any Sendable]) throws {
        let data = try JSONSerialization.data(withJSONObject: values, options: [.sortedKeys])
        print(String(decoding: data, as: UTF8.self))
    }
}
