// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Glibc
import KernelBackend
import Synchronization
import TestSupport

/// What the host's options change, at a level that denies.
enum HostOptions {
    static func run(at level: ProtectionLevel) async throws {
        try await cut(at: level)
    }

    /// A backend whose reports are collected.
    final class Collector: Sendable {
        let backend: KernelBackend
        private let reports = Mutex<[Detection]>([])

        init(_ backend: KernelBackend) {
            self.backend = backend
            Task { [self] in
                for await report in backend.reports {
                    reports.withLock { $0.append(report.detection) }
                    report.acknowledge()
                }
            }
        }

        /// The reports with a caller's address; waits for the first.
        func reports(from address: UInt64?) async throws -> [Detection] {
            for _ in 0..<500 {
                let found = reports.withLock { $0.filter { $0.callersAddress == address } }
                if !found.isEmpty { return found }
                try await Task.sleep(for: .milliseconds(10))
            }
            return []
        }
    }

    static let cutPlaces = [
        "anonymous", "stack", "heap", "written-page", "shared-anonymous", "segment", "written-by-child", "memory-file", "remapped",
    ]

    /// `--extraction cut`: the process is stopped, and goes on to a breakpoint instruction.
    private static func cut(at level: ProtectionLevel) async throws {
        let policy = Policy(blockAt: 40)
        let watch = Collector(try KernelBackend(policy: policy, level: level, extraction: .cut))
        let cases = StubCase.all(places: cutPlaces, calls: ["send"]) + [StubCase(form: "direct", place: "anonymous", call: "exec")]
        for test in cases {
            let receiver = Receiver(datagrams: true)
            let run = try await Fixtures.run("call-stub", test.arguments(port: receiver.port))
            let report = try await watch.reports(from: Announcement(run.output).callersAddress).first
            var problems: [String] = []
            if report?.cut != .done { problems.append("cut \(String(describing: report?.cut))") }
            if report?.action != .blocked { problems.append("action \(String(describing: report?.action))") }
            if run.status != 128 + SIGTRAP { problems.append("status \(run.status): \(run.output.suffix(40))") }
            if receiver.arrivals(datagrams: true) != 0 { problems.append("it arrived") }
            KernelMatrix.say("\(KernelMatrix.count(problems.isEmpty)) \(level.rawValue) cut \(test) \(problems.joined(separator: "; "))")
        }
        for (place, failure) in [("shared-read-only", CodeCut.Failure.sharedReadOnly), ("never-named", .file)] {
            let receiver = Receiver(datagrams: true)
            let run = try await Fixtures.run("call-stub", ["direct", place, "send", String(receiver.port)])
            let announced = Announcement(run.output)
            let report = try await watch.reports(from: announced.callersAddress).first
            let isRight = report?.cut == .failed(failure) && announced.errno == EPERM && receiver.arrivals(datagrams: true) == 0
            KernelMatrix.say(
                "\(KernelMatrix.count(isRight)) \(level.rawValue) cut \(place): \(String(describing: report?.cut)) \(run.output.suffix(40))"
            )
        }
        // Reported once, and cut each time.
        let before = watch.backend.cuts.done
        let run = try await Fixtures.run("call-stub", ["rewrite", "10", "9"])
        let isRight = run.output.hasSuffix("trapped 10 denied 0\n") && watch.backend.cuts.done - before == 10
        KernelMatrix.say("\(KernelMatrix.count(isRight)) \(level.rawValue) cut repeated: \(run.output) \(watch.backend.cuts)")
        KernelMatrix.say("\(KernelMatrix.count(watch.backend.cuts.failed == 2)) \(level.rawValue) cuts counted: \(watch.backend.cuts)")
        watch.backend.stop()
    }
}
