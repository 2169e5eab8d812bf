// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Glibc
import Rendering

/// A rule on its way into the rules file.
struct RuleLine: Hashable, Sendable {
    var sid: UInt32
    var text: String
}

/// One delivery to a running Suricata: file written, rules reloaded, and what became of them asked for. It blocks
/// its thread.
struct RulesetTransaction {
    let settings: SuricataSettings
    /// Whether an earlier delivery has shown that Suricata loads the rules file.
    var isFileProven: Bool
    private var file: RulesFile { RulesFile(path: settings.rulesFile) }

    init(settings: SuricataSettings, isFileProven: Bool) {
        self.settings = settings
        self.isFileProven = isFileProven
    }

    mutating func run(_ wanted: [RuleLine], refused early: [DeliveryOutcome.Refused]) throws(EpitopeError) -> DeliveryOutcome {
        let begin = ContinuousClock.now
        let good = RulesFileText.rules(in: file.read() ?? "").map { RuleLine(sid: $0.sid, text: $0.text) }
        let control = try connect(orLeave: wanted)
        let before = try control.statistics()
        let failedBefore = try own(control.failedRules(), among: good).count
        let timeBefore = try control.reloadTime()
        var (lines, refused) = (wanted, early)
        // The second round leaves out what was refused, the third also the last good revisions put in their place.
        for _ in 0..<3 {
            let reload = try write(lines, andReload: control)
            let files = try RuleFileList(control)
            guard files.contains(settings.rulesFile) else { throw notLoaded("it is not among rule-files in suricata.yaml") }
            let failed = try own(control.failedRules(), among: lines)
            guard !failed.isEmpty else {
                let after = try control.statistics()
                guard try control.reloadTime() != timeBefore else { throw unconfirmed("its reload time did not change") }
                let expected = lines.count - (good.count - failedBefore)
                let isShown = after.loaded - before.loaded == expected && (expected != 0 || isFileProven)
                if !lines.isEmpty, !isShown { try probe(lines, control) }
                isFileProven = isFileProven || !lines.isEmpty
                return DeliveryOutcome(
                    liveSinceMilliseconds: Self.nowMilliseconds(), reloadMilliseconds: reload,
                    totalMilliseconds: Self.milliseconds(since: begin), rulesLoaded: after.loaded,
                    live: lines.map(\.sid).sorted(), refused: refused)
            }
            for line in failed {
                refused.append(.init(sid: line.sid, error: try reason(for: line, files)))
            }
            let replacements = good.filter { old in failed.contains { $0.sid == old.sid && $0.text != old.text } }
            lines = (lines.filter { !failed.contains($0) } + replacements).sorted { $0.sid < $1.sid }
        }
        _ = try write(good, andReload: control)
        throw EpitopeError(
            .suricataRefused, "Suricata refused rules again and again; the last good rules are back in \(settings.rulesFile)",
            remedy: refused.last?.error.message ?? "see Suricata's log")
    }

    /// A Suricata that does not run finds the rules when it starts: they are left in the file all the same.
    private func connect(orLeave wanted: [RuleLine]) throws(EpitopeError) -> SuricataControl {
        do {
            return try SuricataControl(settings)
        } catch {
            if error.code == .suricataStopped || error.code == .suricataAbsent {
                try file.write(RulesFileText.render(lines: wanted.map(\.text)))
            }
            throw error
        }
    }

    private func write(_ lines: [RuleLine], andReload control: SuricataControl) throws(EpitopeError) -> Double {
        try file.write(RulesFileText.render(lines: lines.map(\.text)))
        let begin = ContinuousClock.now
        try control.reload()
        return Self.milliseconds(since: begin)
    }

    private func own(_ failed: [FailedRule], among lines: [RuleLine]) -> [RuleLine] {
        let texts = Set(failed.map(\.rule))
        return lines.filter { texts.contains($0.text) }
    }

    /// Shows that Suricata reads the file where the counts of rules don't (other files changed too, or as many rules
    /// came as went): a line that can't be a rule must turn up among the failed ones, with the file's name.
    private func probe(_ lines: [RuleLine], _ control: SuricataControl) throws(EpitopeError) {
        let line =
            "alert epitope any any -> any any (msg:\"Epitope asks whether this file is loaded\"; sid:\(SIDRange.all.upperBound); rev:1;)"
        try file.write(RulesFileText.render(lines: lines.map(\.text) + [line]))
        try control.reload()
        let wasRead = try control.failedRules().contains { $0.rule == line }
        _ = try write(lines, andReload: control)
        guard wasRead else { throw notLoaded("Suricata can't read it") }
    }

    /// Why Suricata refused a rule. It doesn't say so over its socket, so it is asked again about that rule alone.
    private func reason(for line: RuleLine, _ files: RuleFileList) throws(EpitopeError) -> EpitopeError {
        if let complaint = try RulesetTest(settings: settings).complaint(about: [line.text]) {
            return Self.refusal(of: line.sid, complaint)
        }
        if let other = files.otherFile(with: line.sid, than: settings.rulesFile) {
            return EpitopeError(
                .suricataRefused, "Suricata refused rule \(line.sid): a rule in \(other) has the same sid",
                remedy: "remove or renumber that rule: sids \(SIDRange.all.lowerBound) to \(SIDRange.all.upperBound) are Epitope's")
        }
        return Self.refusal(of: line.sid, "for a reason that only its log has (alone, the rule is sound)")
    }

    static func refusal(of sid: UInt32, _ complaint: String) -> EpitopeError {
        EpitopeError(
            .suricataRefused, "Suricata refused rule \(sid): \(complaint)",
            remedy: "the other rules are live; see Suricata's log, and report the rule if Epitope wrote it")
    }

    private func notLoaded(_ why: String) -> EpitopeError {
        EpitopeError(
            .suricataRulesFileNotLoaded, "Suricata does not load \(settings.rulesFile): \(why)",
            remedy:
                "add the line \"  - \(settings.rulesFile)\" under \"rule-files:\" in suricata.yaml, let Suricata's user read the file, and restart Suricata"
        )
    }

    private func unconfirmed(_ why: String) -> EpitopeError {
        EpitopeError(
            .suricataRefused, "Suricata said that it reloaded its rules, but \(why)",
            remedy: "see Suricata's log; the center tries again by itself")
    }

    static func milliseconds(since begin: ContinuousClock.Instant) -> Double {
        (ContinuousClock.now - begin) / .milliseconds(1)
    }

    private static func nowMilliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
    }
}
