// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import BehaviourBlocking
import EpitopeModel
import HostFrontEnd
import HostPolicy
import KernelBackend
import ProcessContext
import SeccompBackend

/// `epitope policy`: what is done about critical calls, and who is excluded.
struct PolicyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "Look at this host's policy and its exclusions.",
        subcommands: [PolicyShowCommand.self, PolicyCheckCommand.self])
}

/// `epitope policy show`.
struct PolicyShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Read the policy as the agent would; show each exclusion, and what it stands for now.")

    @OptionGroup var policyOptions: PolicyOptions

    func run() async throws {
        let loaded = try policyOptions.load()
        let keeper = ExclusionMonitor(loaded.exclusions)
        Console.say(loaded.summary)
        let parties = keeper.table.exclusions.values.joined().reduce(into: [Exclusion: Int]()) { $0[$1, default: 0] += 1 }
        var rows = [["excluded", "evidence", "until", "stands for", "reason"]]
        for exclusion in loaded.exclusions {
            let count = parties[exclusion] ?? 0
            rows.append([
                exclusion.subject.description, exclusion.evidence.rawValue, exclusion.until.description,
                count == 0 ? "nobody now" : count == 1 ? "1 party" : "\(count) parties", exclusion.reason,
            ])
        }
        Console.say("\n" + Console.table(rows))
        let problems = keeper.problems.filter { !$0.isAbsence }
        for problem in problems { Console.note("\(problem)") }
        if !problems.isEmpty { throw ExitCode(1) }
    }
}

/// `epitope policy check`.
struct PolicyCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Explain what the policy makes of a running process.",
        discussion: """
            Shows who the process is, which of its executable memory no file image stands behind, what is done about each \
            kind of evidence and why, and what its threads that wait in a critical call would be held for.
            """)

    @OptionGroup var policyOptions: PolicyOptions

    @Argument(help: ArgumentHelp("The process's number.", valueName: "pid"))
    var processID: Int32

    func run() async throws {
        let loaded = try policyOptions.load()
        let inspection = try LiveInspection(of: processID)
        let keeper = ExclusionMonitor(loaded.exclusions)
        let parameters = ProcessContextCollector(hostID: nil)
        let process = await parameters.complete(parameters.inspect(processID: processID, threadID: processID)).process
        let report = PolicyReport(policy: loaded.policy, exclusions: keeper.exclusions(of: processID))
        Console.say(Console.table(report.rows(of: process)))
        Console.say("policy         \(loaded.summary)")
        for problem in keeper.problems where !problem.isAbsence { Console.say("               \(problem)") }
        Console.say("\nexecutable memory that no file image stands behind, or that was written")
        Console.say(
            inspection.findings.isEmpty
                ? "  none now: its critical calls give no evidence" : Console.table(inspection.findings.map(report.row)))
        Console.say("\n" + Console.table(report.verdicts()))
        if let caveat = report.caveat(canDeny: KernelSupport.current.level.canDeny) { Console.say(caveat) }
        Console.say("\nthreads that wait in a critical call")
        let calls =
            inspection.waiting.map(report.row) + inspection.unseen.map { ["  thread \($0.threadID)", "can't be inspected: \($0.reason)"] }
        Console.say(calls.isEmpty ? "  none" : Console.table(calls))
    }
}
