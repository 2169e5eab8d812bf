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
        try await applications(at: level)
        try await amounts(at: level)
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

    /// What becomes of a call: whether it fails with EPERM, and how it is reported.
    private static func expect(
        _ test: StubCase, denied: Bool, _ action: ProtectiveAction?, arrived: Int? = nil, points: Int? = nil, _ watch: Collector,
        _ level: ProtectionLevel
    ) async throws {
        let receiver = Receiver(datagrams: test.sendsDatagrams)
        let before = watch.backend.statistics.reported
        let run = try await Fixtures.run("call-stub", test.arguments(port: receiver.port))
        let announced = Announcement(run.output)
        var problems: [String] = []
        if let action {
            let report = try await watch.reports(from: announced.callersAddress).first
            if report?.action != action { problems.append("action \(String(describing: report?.action))") }
            if let points, report?.points != points { problems.append("points \(String(describing: report?.points))") }
            if report?.applications != watch.backend.policy.applicationsOn { problems.append("applications") }
        } else if watch.backend.statistics.reported != before {
            problems.append("reported")
        }
        // The result of a request is in its ring.
        if !test.call.hasPrefix("ring"), (announced.errno == EPERM) != denied { problems.append("result: \(run.output.suffix(40))") }
        let count = receiver.arrivals(datagrams: test.sendsDatagrams)
        if let arrived, count != arrived { problems.append("\(count) arrived") }
        KernelMatrix.say(
            "\(KernelMatrix.count(problems.isEmpty)) \(level.rawValue) applications: \(test) \(problems.joined(separator: "; "))")
    }

    /// Sends are off, listening is only watched, and a memory file that connects weighs more.
    private static func applications(at level: ProtectionLevel) async throws {
        let policy = Policy(applications: [
            .send: ApplicationPolicy(isOn: false), .listen: ApplicationPolicy(action: .watch, weights: [.directCall: 90]),
            .connect: ApplicationPolicy(weights: [.memoryFile: 80]),
        ])
        let watch = Collector(try KernelBackend(policy: policy, level: level))
        func stub(_ call: String, _ place: String = "anonymous") -> StubCase { StubCase(form: "direct", place: place, call: call) }
        for call in ["send", "sendmsg", "write", "sendfile", "ring"] {
            try await expect(stub(call), denied: false, nil, arrived: 1, watch, level)
        }
        try await expect(stub("exec"), denied: true, .blocked, watch, level)
        try await expect(stub("connect"), denied: true, .blocked, arrived: 0, points: 100, watch, level)
        try await expect(stub("ring-connect"), denied: true, .blocked, arrived: 0, watch, level)
        for call in ["bind", "listen"] { try await expect(stub(call), denied: false, .watched, points: 90, watch, level) }
        try await expect(stub("connect", "memory-file"), denied: true, .blocked, arrived: 0, points: 80, watch, level)
        try await expect(stub("exec", "memory-file"), denied: false, .watched, watch, level)
        // From the next call on.
        try watch.backend.setPolicy(Policy(applications: [.connect: ApplicationPolicy(isOn: false)]))
        try await expect(stub("send"), denied: true, .blocked, arrived: 0, watch, level)
        try await expect(stub("connect"), denied: false, nil, arrived: 1, watch, level)
        watch.backend.stop()
    }

    /// How much code is reported.
    private static func amounts(at level: ProtectionLevel) async throws {
        let extraction = ExtractionSettings(amounts: ExtractionAmounts(maxWholeBytes: 1024, sideBytes: 300))
        let watch = Collector(try KernelBackend(level: level, extraction: extraction))
        for place in ["large", "anonymous"] {
            let run = try await Fixtures.run("call-stub", ["direct", place, "connect", "9"])
            let caller = Announcement(run.output).callersAddress ?? 0
            let code = try await watch.reports(from: caller).first?.code
            let before = place == "large" ? 300 : caller % 4096
            let isRight = code?.base == caller - before && code?.bytes.count == Int(before) + 300 && code?.isWholeRegion == false
            KernelMatrix.say(
                "\(KernelMatrix.count(isRight)) \(level.rawValue) amounts: \(place), \(code?.bytes.count ?? 0) bytes, "
                    + "\(caller - (code?.base ?? 0)) before the caller")
        }
        watch.backend.stop()
    }
}
