import BehaviourBlocking
import EpitopeModel
import Foundation
import KernelBackend
import Synchronization
import TestSupport

/// The matrix of calls from unbacked memory against the kernel backend that denies, for a machine of its own: Debian's
/// kernel in qemu, where security hooks run. Prints a line a case and ends with `RESULT ok=N failed=N`.
///
///     kernel-matrix [PLACE...]
@main enum KernelMatrix {
    static let places = StubCase.places + ["written-by-device"]
    static let calls = StubCase.calls + ["write", "writev", "sendfile", "splice", "ring"]

    static func main() async throws {
        let support = KernelSupport.current
        say("level \(support.level.rawValue): \(support.reason)")
        // The best level, then the one that needs no security module.
        for level in [support.level, .functions] { try await run(at: level) }
        say("RESULT ok=\(ok.load(ordering: .relaxed)) failed=\(failed.load(ordering: .relaxed))")
    }

    private static let ok = Atomic(0)
    private static let failed = Atomic(0)

    private static func count(_ isRight: Bool) -> String {
        if isRight { ok.add(1, ordering: .relaxed) } else { failed.add(1, ordering: .relaxed) }
        return isRight ? "ok" : "FAILED"
    }

    private static func run(at level: ProtectionLevel) async throws {
        let backend = try KernelBackend(level: level)
        let reports = Mutex<[StalledCall]>([])
        let collecting = Task { for await call in backend.stalledCalls { reports.withLock { $0.append(call) } } }
        let notices = Task { for await notice in backend.notices { say("notice \(notice)") } }
        let asked = Array(CommandLine.arguments.dropFirst())
        for test in StubCase.all(places: places.filter { asked.isEmpty || asked.contains($0) }, calls: calls) {
            let problems = try await problems(test, reports)
            say("\(count(problems.isEmpty)) \(level.rawValue) \(test.form) \(test.place) \(test.call) \(problems.joined(separator: "; "))")
        }
        for (name, arguments) in [("bench", ["100"]), ("repeat", ["50"])] {
            let receiver = Receiver(datagrams: true)
            let run = try await Fixtures.run("call-stub", [name] + arguments + [String(receiver.port)])
            let arrived = receiver.arrivals(datagrams: true)
            let isRight = name == "bench" ? arrived == 100 : arrived == 0 && run.output == "denied 50\n"
            say("\(count(isRight)) \(level.rawValue) \(name): \(arrived) arrived, \(run.output)")
        }
        say("statistics \(backend.statistics)")
        backend.stop()
        collecting.cancel()
        notices.cancel()
    }

    static func problems(
        _ test: StubCase, _ reports: borrowing Mutex<[StalledCall]>
    ) async throws -> [String] {
        var problems: [String] = []
        let datagrams = test.call != "connect"
        let receiver = Receiver(datagrams: datagrams)
        let run = try await Fixtures.run("call-stub", [test.form, test.place, test.call, String(receiver.port)])
        let announced = Announcement(run.output)
        var report: StalledCall?
        for _ in 0..<100 where report == nil {
            report = reports.withLock { $0.first { $0.process.processID == run.processID } }
            if report == nil { try await Task.sleep(for: .milliseconds(10)) }
        }
        guard let report else { return ["no report; \(run.output)"] }
        if report.callersAddress != announced.callersAddress { problems.append("caller 0x\(String(report.callersAddress, radix: 16))") }
        let base = announced.base ?? 0
        if let offset = report.code.offset(of: base) {
            if Array(report.code.bytes[offset...].prefix(announced.code.count)) != announced.code { problems.append("other code") }
        } else {
            problems.append("no code")
        }
        if report.evidence.first?.kind != test.kind { problems.append("evidence \(report.evidence)") }
        let arrived = receiver.arrivals(datagrams: datagrams)
        if test.isMemoryFile {
            if report.action != .watched { problems.append("action \(report.action)") }
        } else {
            if report.action != .blocked { problems.append("action \(report.action)") }
            if test.call != "ring", announced.errno != EPERM { problems.append("result: \(run.output.suffix(40))") }
            if arrived != 0 { problems.append("\(arrived) arrived") }
        }
        return problems
    }

    private static func say(_ text: String) {
        FileHandle.standardOutput.write(Data("\(text)\n".utf8))
    }
}
