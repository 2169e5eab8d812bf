// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BehaviourBlocking
import EpitopeModel
import Glibc
import HostFrontEnd
import HostPolicy
import KernelBackend
import ProcessContext
import SeccompBackend

/// `epitope policy`: shows what is done about critical calls, and what is excluded.
struct PolicyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Show this host's policy and its exclusions, and add to them.",
        subcommands: [PolicyShowCommand.self, PolicyCheckCommand.self, PolicyExcludeCommand.self])
}

/// `epitope policy show`.
struct PolicyShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Read the policy as the agent does; show each exclusion, and how much it applies to now.")

    @OptionGroup var policyOptions: PolicyOptions

    func run() async throws {
        let loaded = try policyOptions.load()
        let monitor = ExclusionMonitor(loaded.exclusions)
        Console.print(loaded.summary)
        let targets = monitor.table.exclusions.values.joined().reduce(into: [Exclusion: Int]()) { $0[$1, default: 0] += 1 }
        var rows = [["exclusion", "evidence", "until", "applies to", "reason"]]
        for exclusion in loaded.exclusions {
            let count = targets[exclusion] ?? 0
            rows.append([
                exclusion.subject.description, exclusion.matter, exclusion.until?.description ?? "no end",
                count == 0 ? "nothing now\(Self.absence(exclusion.subject))" : count == 1 ? "1 target" : "\(count) targets",
                exclusion.reason,
            ])
        }
        Console.print("\n" + Console.table(rows))
        let problems = monitor.actionableProblems
        for problem in problems { Console.log("\(problem)") }
        if !problems.isEmpty { throw ExitCode(1) }
    }

    /// What is missing, of an exclusion that applies to nothing.
    private static func absence(_ subject: Exclusion.Subject) -> String {
        if case .executable(let path, _) = subject, access(path, F_OK) != 0 { ": no such file" } else { "" }
    }
}

/// `epitope policy check`.
struct PolicyCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Explain how the policy judges a running process.",
        discussion: """
            Shows the process, its unbacked executable memory, what is done about each kind of evidence and why, and the \
            verdict on each of its threads that waits in a critical call.
            """)

    @OptionGroup var policyOptions: PolicyOptions

    @Argument(help: ArgumentHelp("The process's number.", valueName: "pid"))
    var processID: Int32

    func run() async throws {
        let loaded = try policyOptions.load()
        let inspection = try LiveInspection(of: processID)
        let monitor = ExclusionMonitor(loaded.exclusions)
        let collector = ProcessContextCollector(hostID: nil)
        let process = await collector.enrich(collector.context(ofProcess: processID, thread: processID)).process
        let report = PolicyReport(policy: loaded.policy, exclusions: monitor.exclusions(forProcess: processID))
        Console.print(Console.table(report.rows(of: process)))
        Console.print("policy         \(loaded.summary)")
        for problem in monitor.actionableProblems { Console.print("               \(problem)") }
        Console.print("\nunbacked executable memory")
        Console.print(
            inspection.findings.isEmpty
                ? "  none now: its critical calls give no evidence" : Console.table(inspection.findings.map(report.row)))
        Console.print("\n" + Console.table(report.verdicts()))
        for application in report.applications() {
            guard let verdicts = application.verdicts else {
                Console.print("\n\(application.name): off, its calls are allowed")
                continue
            }
            Console.print("\n\(application.name):\n" + Console.table(verdicts))
        }
        if let caveat = report.caveat(canDeny: KernelSupport.current.level.canDeny) { Console.print(caveat) }
        Console.print("\nthreads that wait in a critical call")
        let calls =
            inspection.waiting.map(report.row)
            + inspection.uninspectable.map { ["  thread \($0.threadID)", "can't be inspected: \($0.reason)"] }
        Console.print(calls.isEmpty ? "  none" : Console.table(calls))
    }
}
