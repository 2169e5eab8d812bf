// SPDX-License-Identifier: Apache-2.0

public import ArgumentParser
import BehaviourBlocking
public import EpitopeModel
import Foundation
import HostFrontEnd
public import HostPipeline
import HostPolicy

extension ExclusionProposal.Subject: ExpressibleByArgument {}
extension EvidenceKind: ExpressibleByArgument {}

/// `epitope policy exclude`: lets a detected call of a program pass from now on.
struct PolicyExcludeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exclude", abstract: "Write the exclusion for a detection into the policy file.",
        discussion: """
            Looks the detection up in this host's event log, and adds an exclusion for each kind of its evidence. By default it \
            holds for this executable as long as its file has the hash that it had, and for 90 days. Shows which earlier \
            detections it would have hidden: look at these before you rely on it.
            """)

    @OptionGroup var stateOptions: HostStateOptions

    @Option(help: ArgumentHelp("The policy file (default: \(HostPolicy.defaultPath)); it is made where there is none.", valueName: "file"))
    var policy: String?

    @Option(help: "Why the call is legitimate, for the next reader. Asked for on a terminal if left out.")
    var reason: String?

    @Option(help: ArgumentHelp("The last day on which it applies, such as 2027-06-30 (default: in 90 days).", valueName: "day"))
    var until: String?

    @Option(help: "What it is bound to: the executable with its hash, its path, its package, the container, or the user.")
    var by: ExclusionProposal.Subject = .hash

    @Option(help: ArgumentHelp("Only this kind of the detection's evidence; may be repeated.", valueName: "kind"))
    var evidence: [EvidenceKind] = []

    @Flag(help: "Show what would be written and hidden; write nothing.")
    var dryRun = false

    @Argument(help: ArgumentHelp("The packet of the detection, by its id or the first digits of it; last: the newest.", valueName: "event"))
    var event: String

    func run() async throws {
        try stateOptions.requireDirectory()
        let history = EventHistory(directory: stateOptions.directory)
        let detection = try history.detection(event)
        Console.log("\(detection.time.toTheSecond) \(detection.inWords)")
        let file = PolicyFile(path: policy)
        let reportAt = file.exists ? try HostPolicy(path: file.path).policy.reportAt : Policy.default.reportAt
        let last = try lastDay()
        // Before anybody is asked for a reason.
        _ = try ExclusionProposal.exclusions(for: detection, by: by, kinds: evidence, reportAt: reportAt, reason: "", until: last)
        let exclusions = try ExclusionProposal.exclusions(
            for: detection, by: by, kinds: evidence, reportAt: reportAt, reason: try statedReason(), until: last)
        show(history.hidden(by: exclusions, reportAt: reportAt))
        if dryRun { return exclusions.forEach { Console.print(PolicyText.entry($0)) } }
        let added = try file.add(exclusions)
        for exclusion in added { Console.print(PolicyText.entry(exclusion)) }
        Console.log(
            added.isEmpty
                ? "\(file.path) has this exclusion already"
                : "written to \(file.path): epitope run takes it at its next start, the agent when it is reloaded (systemctl reload epitope-agent)"
        )
    }

    private func lastDay() throws(EpitopeError) -> CalendarDay {
        guard let until else {
            return CalendarDay(ofMilliseconds: EventLog.now().milliseconds + Duration.days(ExclusionProposal.defaultDays).inMilliseconds)
        }
        guard let day = CalendarDay(until) else {
            throw EpitopeError(.policyInvalid, "'\(until)' isn't a day", remedy: "write it as year, month and day: --until 2027-06-30")
        }
        guard day >= .today else {
            throw EpitopeError(.policyInvalid, "\(day) is over", remedy: "name a day to come, such as --until 2027-06-30")
        }
        return day
    }

    private func statedReason() throws(EpitopeError) -> String {
        var text = reason
        if text == nil, isatty(0) == 1 {
            Console.say("why is this legitimate? ")
            text = readLine()
        }
        guard let text = text?.trimmingCharacters(in: .whitespacesAndNewlines), !text.isEmpty else {
            throw EpitopeError(
                .exclusionReasonMissing, "an exclusion needs a reason",
                remedy: "give one for the next reader: --reason 'its plug-ins are compiled'")
        }
        return text
    }

    /// How many of the detections that it would have hidden are shown.
    private static let maxShown = 20

    private func show(_ hidden: [HostEvent]) {
        Console.log("of the detections in the log it would have hidden \(hidden.count)" + (hidden.isEmpty ? "" : ":"))
        for event in hidden.suffix(Self.maxShown) { Console.log("  \(event.time.toTheSecond) \(event.inWords)") }
        if hidden.count > Self.maxShown { Console.log("  and \(hidden.count - Self.maxShown) before them") }
    }
}

extension EpitopeError.Code {
    /// No reason was given for an exclusion.
    static let exclusionReasonMissing = EpitopeError.Code("exclusion-reason-missing")
}
