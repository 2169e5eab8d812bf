// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import HostFrontEnd
import SeccompBackend
import Synchronization

/// The reports of both backends as one stream, which ends when both have ended.
///
/// A call that the seccomp agent let through and reported continues into the kernel, whose backend sees it as well: it is reported
/// once. A call that the seccomp agent denied never gets there.
///
/// The next report of the kernel backend is taken only when the previous one was acknowledged: when the agent hands over, all
/// others are still the backend's, for the next agent.
final class MergedReports: Sendable {
    let reports: AsyncStream<DetectionReport>
    private let containers: SeccompAgent
    private let dropped = Atomic<UInt64>(0)

    init(_ containers: SeccompAgent, _ kernel: AsyncStream<DetectionReport>) {
        self.containers = containers
        let (reports, continuation) = AsyncStream.makeStream(
            of: DetectionReport.self, bufferingPolicy: .bufferingOldest(2 * SeccompBackend.maxBufferedReports))
        self.reports = reports
        Task { [self] in
            await withTaskGroup(of: Void.self) { group in
                group.addTask { for await report in containers.reports { self.pass(report, to: continuation) } }
                group.addTask { await self.passEach(of: kernel, to: continuation) }
            }
            continuation.finish()
            let lost = dropped.load(ordering: .relaxed)
            if lost > 0 { Console.log("\(lost) reports were dropped: more came than could be stored") }
        }
    }

    private func passEach(of kernel: AsyncStream<DetectionReport>, to continuation: AsyncStream<DetectionReport>.Continuation) async {
        let (acknowledgements, acknowledged) = AsyncStream.makeStream(of: Void.self)
        var iterator = acknowledgements.makeAsyncIterator()
        for await report in kernel {
            guard !containers.hasReported(report.detection) else {
                report.acknowledge()
                continue
            }
            pass(
                DetectionReport(report.detection) {
                    report.acknowledge()
                    acknowledged.yield()
                }, to: continuation)
            await iterator.next()
        }
    }

    private func pass(_ report: DetectionReport, to continuation: AsyncStream<DetectionReport>.Continuation) {
        guard case .enqueued = continuation.yield(report) else {
            dropped.add(1, ordering: .relaxed)
            return report.acknowledge()
        }
    }

    /// How many reports found no room.
    var lost: UInt64 { dropped.load(ordering: .relaxed) }

    /// Counts that are added to the kernel backend's.
    var counted: [String: UInt64] {
        containers.counted.merging(["dropped": dropped.load(ordering: .relaxed)]) { $1 }
    }
}
