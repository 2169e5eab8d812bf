// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Foundation
import KernelBackend
import Synchronization
import TestSupport

/// The matrix of calls from unbacked memory against the kernel backend's levels that deny, for a virtual machine with Debian's kernel,
/// where security hooks run. Prints a line for each case and ends with `RESULT ok=N failed=N`.
///
///     kernel-matrix [PLACE...]
///     kernel-matrix slice               at the best level alone: there each call from anonymous memory, and a send and an exec from
///                                       each other place; all else as in the whole
///     kernel-matrix hidden-addresses    where the kernel hides its addresses: only what that changes
///     kernel-matrix own-code            only code that the kernel calls written, and that is a file's all the same
///     kernel-matrix options             what the host's options and policy change: code that is overwritten in its process, applications that
///                                       are off or weigh otherwise, amounts
///     kernel-matrix stand-in            an agent for others to stop: denies until it is killed
@main enum KernelMatrix {
    /// - Parameter combinesAll: each call from each place. At the second level the same programs are attached differently, and on a
    ///   second kernel they are the same: not all combinations again.
    static func cases(combinesAll: Bool) -> [StubCase] {
        let matrix = StubCase.all(
            places: StubCase.places + ["written-by-device"], calls: StubCase.calls + ["write", "writev", "sendfile", "splice", "ring"])
        let others = ["pwritev2", "submit", "sendmsg-copy", "sendmmsg-copy", "sendmmsg-self"] + StubCase.rings.filter { $0 != "ring" }
        return matrix.filter { combinesAll || $0.place == "anonymous" || $0.call == "send" || $0.call == "exec" }
            + StubCase.all(places: StubCase.rarePlaces, calls: ["send"])
            + StubCase.all(places: StubCase.writtenFiles, calls: ["send", "exec"])
            + StubCase.all(places: ["anonymous"], calls: others)
            + StubCase.modes.flatMap { mode in StubCase.forms.map { StubCase(form: $0, place: "anonymous", call: "send", mode: mode) } }
            + ["exec", "connect", "bind"].map { StubCase(form: "int80", place: "low", call: $0) }
            + StubCase.starts.map { StubCase(form: "library", place: "anonymous", call: $0) }
    }

    static func main() async throws {
        let support = KernelSupport.current
        say("level \(support.level.rawValue): \(support.reason)")
        switch CommandLine.arguments.dropFirst().first {
        case "hidden-addresses":
            try await HiddenAddresses.run(at: support.level)
        case "slice":
            try await run(at: support.level, combinesAll: false)
            try await fullTables()
        case "own-code":
            for level in [support.level, .fmodRet] { try await ownCode(at: level) }
            try await silentAgent()
        case "options":
            for level in [support.level, .fmodRet] { try await HostOptions.run(at: level) }
        case "stand-in":
            let backend = try KernelBackend(level: support.level)
            say("ready")
            for await report in backend.reports { report.acknowledge() }
        default:
            // The best level, then the one that needs no security module.
            for level in [support.level, .fmodRet] {
                try await run(at: level, combinesAll: level == .hooks, places: Array(CommandLine.arguments.dropFirst()))
            }
            try await fullTables()
        }
        say("RESULT ok=\(ok.load(ordering: .relaxed)) failed=\(failed.load(ordering: .relaxed))")
    }

    private static let ok = Atomic(0)
    private static let failed = Atomic(0)

    static func count(_ isRight: Bool) -> String {
        if isRight { ok.add(1, ordering: .relaxed) } else { failed.add(1, ordering: .relaxed) }
        return isRight ? "ok" : "FAILED"
    }

    /// - Parameter places: those that are asked for; none: all.
    private static func run(at level: ProtectionLevel, combinesAll: Bool, places: [String] = []) async throws {
        let backend = try KernelBackend(level: level)
        let reports = Mutex<[Detection]>([])
        let collecting = Task {
            for await report in backend.reports {
                reports.withLock { $0.append(report.detection) }
                report.acknowledge()
            }
        }
        let notices = Task { for await notice in backend.notices { say("notice \(notice)") } }
        for test in cases(combinesAll: combinesAll) where places.isEmpty || places.contains(test.place) {
            let receiver = Receiver(datagrams: test.sendsDatagrams)
            let run = try await Fixtures.run("call-stub", test.arguments(port: receiver.port))
            let problems = try await problems(test, run, receiver, reports)
            say("\(count(problems.isEmpty)) \(level.rawValue) \(test) \(problems.joined(separator: "; "))")
        }
        let bare = StubCase(form: "direct", place: "bare-stack", call: "send")
        let program = try ExecutableStackProgram(of: Fixtures.path("call-stub"), at: "/tmp/bare-\(level.rawValue)")
        let receiver = Receiver(datagrams: true)
        let run = try await Command.run(program.path, bare.arguments(port: receiver.port), environment: Fixtures.environment)
        let found = try await problems(bare, run, receiver, reports)
        say("\(count(found.isEmpty)) \(level.rawValue) \(bare) \(found.joined(separator: "; "))")
        for injection in InjectionCase.all {
            let receiver = Receiver(datagrams: true)
            let run = try await Fixtures.run("inject-stub", [injection.way, injection.place, String(receiver.port)])
            let test = StubCase(form: "direct", place: injection.place == "text" ? "written-page" : "anonymous", call: "send")
            let problems = try await problems(test, run, receiver, reports)
            say("\(count(problems.isEmpty)) \(level.rawValue) \(injection) \(problems.joined(separator: "; "))")
        }
        try await returnAddresses(level, reports)
        try await sharedPlaces(level)
        hiddenAddresses(level)
        try await programsOf32Bits(level)
        try await polledRing(level, backend)
        try await busyAddressSpace(level)
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

    /// Code of a program's own: held until the agent has compared it, and then as `epitope run` has it.
    private static func ownCode(at level: ProtectionLevel) async throws {
        let backend = try KernelBackend(level: level)
        let reports = Mutex<[Detection]>([])
        let collecting = Task {
            for await report in backend.reports {
                reports.withLock { $0.append(report.detection) }
                report.acknowledge()
            }
        }
        for test in OwnCode.cases {
            let before = reports.withLock { $0.count }
            let run = try await test.run()
            let found = try await reportsBeforeMark(reports, since: before)
            let problems = test.problems(run, found)
            say("\(count(problems.isEmpty)) \(level.rawValue) own code: \(test) \(problems.joined(separator: "; "))")
        }
        let isRight = backend.statistics.held > 0 && backend.statistics.unanswered == 0
        say("\(count(isRight)) \(level.rawValue) own code: \(backend.statistics)")
        backend.stop()
        collecting.cancel()
    }

    /// An agent that is there and doesn't answer: the call isn't held for ever, and doesn't pass. Once it answers again, all is as before.
    private static func silentAgent() async throws {
        let agent = try RunningProcess([Fixtures.path("kernel-matrix"), "stand-in"])
        _ = try await agent.line(with: "ready", seconds: 120)
        agent.send(SIGSTOP)
        let silent = try await Command.run(Fixtures.path("own-code"), ["breakpoint"], environment: Fixtures.environment)
        say("\(count(silent.output.hasPrefix("refused "))) own code, agent stopped: \(silent.output)")
        agent.send(SIGCONT)
        let answered = try await Command.run(Fixtures.path("own-code"), ["breakpoint"], environment: Fixtures.environment)
        say("\(count(answered.output == "connected\n")) own code, agent continued: \(answered.output)")
        agent.send(SIGKILL)
        try await agent.end()
    }

    /// The problems of a run: of its report, its result, and what arrived.
    static func problems(
        _ test: StubCase, _ run: Command, _ receiver: Receiver, _ reports: borrowing Mutex<[Detection]>
    ) async throws -> [String] {
        var problems: [String] = []
        let announced = Announcement(run.output)
        var report: Detection?
        for _ in 0..<100 where report == nil {
            report = reports.withLock { $0.first { $0.callersAddress == announced.callersAddress } }
            if report == nil { try await Task.sleep(for: .milliseconds(10)) }
        }
        guard let report else {
            return ["no report of \(announced.callersAddress.map { String($0, radix: 16) } ?? "?"); \(run.output) \(run.errors)"]
        }
        let isOfOther = StubCase.starts.contains(test.call)
        if !isOfOther, report.process.processID != announced.processID { problems.append("process \(report.process.processID)") }
        let base = announced.base ?? 0
        if let offset = report.code.offset(of: base) {
            if Array(report.code.bytes[offset...].prefix(announced.code.count)) != announced.code { problems.append("other code") }
        } else {
            problems.append("no code")
        }
        if report.evidence.first?.kind != test.kind { problems.append("evidence \(report.evidence)") }
        let sendsItself = test.call.hasSuffix("-copy") || test.call.hasSuffix("-self")
        if sendsItself, !report.evidence.contains(where: { $0.kind == .sendsItself }) { problems.append("doesn't send itself") }
        let arrived = receiver.arrivals(datagrams: test.sendsDatagrams)
        if test.isMemoryFile {
            if report.action != .watched { problems.append("action \(report.action)") }
        } else {
            if report.action != .blocked { problems.append("action \(report.action)") }
            // The result of a request is in its ring; that of a program that a library started, in its child.
            let hasResult = !isOfOther && test.call != "submit" && (!test.call.hasPrefix("ring") || test.call == "ring-setup")
            if hasResult, announced.errno != EPERM { problems.append("result: \(run.output.suffix(40))") }
            if arrived != 0 { problems.append("\(arrived) arrived") }
        }
        if test.call.hasPrefix("ring"), test.call != "ring-setup",
            report.arguments.peer != SocketEndpoint(address: "127.0.0.1", port: receiver.port)
        {
            problems.append("peer \(String(describing: report.arguments.peer))")
        }
        return problems
    }

    /// Every way of entering the library with a return address of one's choice.
    private static func returnAddresses(_ level: ProtectionLevel, _ reports: borrowing Mutex<[Detection]>) async throws {
        // A signal's number is no descriptor of a socket: that call never reaches a hook.
        for test in ReturnCase.all(calls: ["connect", "sendto", "sendmsg", "write", "execve"])
        where test.isJudgedByKernel && test.way != "signal" {
            let before = reports.withLock { $0.count }
            let receiver = Receiver(datagrams: test.sendsDatagrams)
            let run = try await Fixtures.run("return-stub", test.arguments(port: receiver.port))
            let found = try await reportsBeforeMark(reports, since: before).filter { $0.call == test.critical }
            let arrived = receiver.arrivals(datagrams: test.sendsDatagrams)
            let result = Announcement(run.output)
            // What a function of the library starts has its result in a child, or in a handler.
            let hasResult = ReturnCase.unbacked.contains(test.way) || test.way.hasPrefix("plant") || test.way.hasPrefix("middle")
            var problems: [String] = []
            switch test.outcomeByHooks {
            case .blocked(let kind):
                if found.first?.evidence.first?.kind != kind { problems.append("evidence \(found.map(\.evidence))") }
                if found.first?.action != .blocked { problems.append("action \(String(describing: found.first?.action))") }
                if hasResult, result.errno != EPERM { problems.append("result: \(run.output.suffix(40))") }
                if arrived != 0 { problems.append("\(arrived) arrived") }
            case .reported(let kind):
                if found.first?.evidence.first?.kind != kind { problems.append("evidence \(found.map(\.evidence))") }
                if found.first?.action != .watched { problems.append("action \(String(describing: found.first?.action))") }
                if test.call != "execve", arrived != 1 { problems.append("\(arrived) arrived") }
            case .unseen:
                if !found.isEmpty { problems.append("evidence \(found.map(\.evidence))") }
                if test.call != "execve", arrived != 1 { problems.append("\(arrived) arrived; \(run.output.suffix(40))") }
            }
            say("\(count(problems.isEmpty)) \(level.rawValue) return address: \(test) \(problems.joined(separator: "; "))")
        }
    }

    /// The reports since a number of them, up to that of a call which is made now: reports come in the order of the calls.
    private static func reportsBeforeMark(_ reports: borrowing Mutex<[Detection]>, since count: Int) async throws -> [Detection] {
        let mark = try await Fixtures.run("call-stub", ["direct", "anonymous", "send", "9"])
        for _ in 0..<500 {
            let found = reports.withLock { Array($0.dropFirst(count)) }
            if let end = found.firstIndex(where: { $0.process.processID == mark.processID }) { return Array(found[..<end]) }
            try await Task.sleep(for: .milliseconds(10))
        }
        return []
    }

    /// Places that all processes share: who waits holds none, and nobody is pushed out by others.
    private static func sharedPlaces(_ level: ProtectionLevel) async throws {
        // More threads than there are scratch spaces wait for data that never comes.
        let holder = try RunningProcess([Fixtures.path("call-stub"), "hold", "80", "9"])
        if level == .hooks { _ = try await holder.line(with: "holding 80") }
        let receiver = Receiver(datagrams: true)
        let run = try await Fixtures.run("return-stub", ["relay-directly", "sendto", String(receiver.port)])
        let arrived = receiver.arrivals(datagrams: true)
        say("\(count(arrived == 1)) \(level.rawValue) calls while others wait: \(arrived) arrived, \(run.output.suffix(20))")
        holder.send(SIGKILL)
    }

    /// A hardened kernel shows no addresses: that is named.
    private static func hiddenAddresses(_ level: ProtectionLevel) {
        let setting = "/proc/sys/kernel/kptr_restrict"
        let before = KernelSupport.current.writtenPages
        try? "2\n".write(toFile: setting, atomically: false, encoding: .utf8)
        let hidden = KernelSupport.current.writtenPages
        try? "1\n".write(toFile: setting, atomically: false, encoding: .utf8)
        let isRight = before == .toldByKernel && hidden == .addressesHidden
        say("\(count(isRight)) \(level.rawValue) hidden addresses: \(before); \(hidden)")
    }

    /// With tables of one place each: the second process whose caller can't be recorded is denied, and not let through as nobody's; when
    /// the first has ended, there is room again.
    private static func fullTables() async throws {
        let backend = try KernelBackend(
            policy: .default, exclusions: ExclusionTable(), level: .hooks, places: .init(submitters: 1, starters: 1), pinnedAt: nil,
            beginsAtOnce: true, context: NumbersOnly())
        let notices = Mutex<[KernelBackend.Notice]>([])
        let reading = Task { for await report in backend.reports { report.acknowledge() } }
        let noticing = Task { for await notice in backend.notices { notices.withLock { $0.append(notice) } } }
        let holder = try RunningProcess([Fixtures.path("call-stub"), "direct", "anonymous", "ring-later", "9", "linger"])
        _ = try await holder.line(with: "result")
        let receiver = Receiver(datagrams: true)
        let second = try await Fixtures.run("call-stub", ["direct", "anonymous", "ring-later", String(receiver.port)])
        let arrived = receiver.arrivals(datagrams: true)
        let isRight = arrived == 0 && backend.statistics.originsWithoutRoom > 0
        say("\(count(isRight)) hooks full table of submitters: \(arrived) arrived, \(backend.statistics.originsWithoutRoom) without room")
        holder.send(SIGKILL)
        try await holder.end()
        let lost = backend.statistics.originsWithoutRoom
        let third = try await Fixtures.run("call-stub", ["direct", "anonymous", "ring-later", String(receiver.port)])
        let again = receiver.arrivals(datagrams: true)
        let hasRoom = again == 0 && backend.statistics.originsWithoutRoom == lost
        say("\(count(hasRoom)) hooks room again: \(again) arrived, \(second.status) \(third.status)")
        backend.stop()
        reading.cancel()
        noticing.cancel()
    }

    /// A 32-bit program counts how many of its four calls were denied; the page comes from mmap, then from ipc.
    private static func programsOf32Bits(_ level: ProtectionLevel) async throws {
        for arguments in [[], ["segment"]] {
            let run = try await Command.run(Fixtures.path("program-32bit"), arguments)
            say("\(count(run.status == 4)) \(level.rawValue) 32-bit program \(arguments): \(run.status) denied")
        }
    }

    /// A request that a thread of the kernel takes from a ring that the program's own image made passes and is counted; policy can deny
    /// it.
    private static func polledRing(_ level: ProtectionLevel, _ backend: KernelBackend) async throws {
        for (policy, expected) in [(Policy.default, 1), (Policy(blockAt: 10, reportAt: 10), 0)] {
            try backend.setPolicy(policy)
            let before = backend.statistics.unattributable
            let receiver = Receiver(datagrams: true)
            let run = try await Fixtures.run("call-stub", ["direct", "anonymous", "ring-poll", String(receiver.port)])
            let arrived = receiver.arrivals(datagrams: true)
            let counted = backend.statistics.unattributable - before
            let isRight = run.status == 0 && arrived == expected && counted > 0
            say("\(count(isRight)) \(level.rawValue) polled ring, blocking at \(policy.blockAt): \(arrived) arrived, \(counted) counted")
        }
        try backend.setPolicy(.default)
    }

    /// Two threads change the address space without a pause: no call passes.
    private static func busyAddressSpace(_ level: ProtectionLevel) async throws {
        let receiver = Receiver(datagrams: true)
        let run = try await Fixtures.run("call-stub", ["churn", "100", String(receiver.port)])
        let arrived = receiver.arrivals(datagrams: true)
        say(
            "\(count(arrived == 0 && run.output.hasSuffix("denied 100\n"))) \(level.rawValue) busy address space: \(arrived) arrived, \(run.output)"
        )
    }

    static func say(_ text: String) {
        FileHandle.standardOutput.write(Data("\(text)\n".utf8))
    }
}
