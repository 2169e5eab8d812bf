// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import KernelBackend
import Synchronization
import TestSupport

/// Calls from a written page of an image where the kernel program can't find the page tables (`kernel.kptr_restrict=2`): it stops the
/// process before the call is carried out, and the agent looks.
enum HiddenAddresses {
    static let cases = StubCase.all(places: ["written-page"], calls: ["send", "connect", "exec"])

    static func run(at level: ProtectionLevel) async throws {
        let backend = try KernelBackend(level: level)
        let reports = Mutex<[Detection]>([])
        let collecting = Task {
            for await report in backend.reports {
                reports.withLock { $0.append(report.detection) }
                report.acknowledge()
            }
        }
        for test in cases {
            let receiver = Receiver(datagrams: test.sendsDatagrams)
            let run = try await Fixtures.run("call-stub", test.arguments(port: receiver.port))
            let problems = try await problems(test, run, receiver, reports)
            KernelMatrix.say("\(KernelMatrix.count(problems.isEmpty)) \(level.rawValue) \(test) \(problems.joined(separator: "; "))")
        }
        backend.stop()
        collecting.cancel()
    }

    /// The problems of a run: nothing may arrive, and the call is reported as what it is.
    static func problems(
        _ test: StubCase, _ run: Command, _ receiver: Receiver, _ reports: borrowing Mutex<[Detection]>
    ) async throws -> [String] {
        let announced = Announcement(run.output)
        var report: Detection?
        for _ in 0..<100 where report == nil {
            report = reports.withLock { $0.first { $0.callersAddress == announced.callersAddress } }
            if report == nil { try await Task.sleep(for: .milliseconds(10)) }
        }
        let arrived = receiver.arrivals(datagrams: test.sendsDatagrams)
        var problems = arrived == 0 ? [] : ["\(arrived) arrived"]
        guard let report else { return problems + ["no report; \(run.output) \(run.errors)"] }
        if report.evidence.first?.kind != .writtenImagePage { problems.append("evidence \(report.evidence)") }
        if report.action == .watched { problems.append("action \(report.action)") }
        return problems
    }
}
