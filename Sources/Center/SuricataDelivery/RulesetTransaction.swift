// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Glibc
import Rendering

/// A rule on its way into the rules file.
struct RuleLine: Hashable, Sendable {
    var sid: UInt32
    var text: String
}

/// One delivery to a running Suricata: writes the file, has the rules reloaded, and asks what became of them. It blocks
/// its thread.
///
/// Suricata reloads all rules or, for a rule that it refuses, all others. So a delivery goes through stages until every
/// rule in the file is accepted: the wanted rules; those that were accepted with the last good revisions of the refused
/// ones; the accepted ones alone. If Suricata refuses rules even then, the file is put back as it was.
struct RulesetTransaction {
    let settings: SuricataSettings
    /// Whether an earlier delivery has shown that Suricata loads the rules file.
    var isFileProven: Bool
    private var file: RulesFile { RulesFile(path: settings.rulesFile) }

    init(settings: SuricataSettings, isFileProven: Bool) {
        self.settings = settings
        self.isFileProven = isFileProven
    }

    /// Which rules are in the file.
    private enum Stage {
        /// All that are wanted.
        case wanted
        /// Those that Suricata accepted, and for those that it refused their last good revisions.
        case lastGoodRevisions
        /// Those that Suricata accepted: it refused last good revisions as well.
        case acceptedOnly
        /// The rules from before the delivery: Suricata refused rules in every stage.
        case rolledBack

        /// The stage after Suricata refused rules in this one.
        var afterRefusal: Stage {
            switch self {
            case .wanted: .lastGoodRevisions
            case .lastGoodRevisions: .acceptedOnly
            case .acceptedOnly, .rolledBack: .rolledBack
            }
        }
    }

    /// What was in force before the delivery.
    private struct Baseline {
        /// Epitope's rules in the file.
        var rules: [RuleLine]
        /// How many of them Suricata had loaded.
        var rulesInForce: Int
        /// All rules that Suricata had loaded.
        var rulesLoaded: Int
        var reloadTime: String
    }

    /// Makes these rules the ones in force, as far as Suricata accepts them.
    ///
    /// - Parameter early: rules that were refused before the delivery, for the outcome.
    /// - Throws: as ``SuricataDelivery/deliver(_:)``.
    mutating func run(_ wanted: [RuleLine], refused early: [DeliveryOutcome.Refused]) throws(EpitopeError) -> DeliveryOutcome {
        let begin = ContinuousClock.now
        let text = try file.readOwn(settings)
        let rules = RulesFileText.rules(in: text).map { RuleLine(sid: $0.sid, text: $0.text) }
        let control = try connect(orLeave: wanted)
        let baseline = try baseline(of: rules, control)
        var (stage, lines, refused) = (Stage.wanted, wanted, early)
        while stage != .rolledBack {
            let reload = try write(lines, andReload: control)
            let files = try RuleFileList(control)
            // Suricata may see the file under another path (in a container): then its own answers must show that it reads it.
            let isListed = files.contains(settings.rulesFile)
            let failed = try failedRules(among: lines, control)
            if failed.isEmpty {
                let rulesLoaded = try confirm(lines, isListed: isListed, since: baseline, control)
                return DeliveryOutcome(
                    liveSinceMilliseconds: Self.nowMilliseconds(), reloadMilliseconds: reload,
                    totalMilliseconds: Self.milliseconds(since: begin), rulesLoaded: rulesLoaded,
                    live: Set(lines.map(\.sid)).sorted(), refused: refused)
            }
            for line in failed { refused.append(.init(sid: line.sid, error: try reason(for: line, files))) }
            lines = Self.replacing(failed, in: lines, by: baseline.rules)
            stage = stage.afterRefusal
        }
        _ = try write(baseline.rules, andReload: control)
        throw EpitopeError(
            .suricataRefused, "Suricata refused rules repeatedly; \(settings.rulesFile) has the last good rules again",
            remedy: refused.last?.error.message ?? "see Suricata's log")
    }

    /// Writes the rules to the file, for when Suricata is made to load it.
    ///
    /// - Throws: `rules-file-foreign`, `rules-folder-unwritable`, `disk-full`.
    func leave(_ lines: [RuleLine]) throws(EpitopeError) {
        let wanted = text(lines.map(\.text))
        guard try file.readOwn(settings) != wanted else { return }
        try file.write(wanted)
    }

    private func text(_ lines: [String]) -> String { RulesFileOwner.text(lines, owner: settings.owner) }

    private func baseline(of rules: [RuleLine], _ control: SuricataControl) throws(EpitopeError) -> Baseline {
        Baseline(
            rules: rules, rulesInForce: rules.count - (try failedRules(among: rules, control).count),
            rulesLoaded: try control.statistics().loaded, reloadTime: try control.reloadTime())
    }

    /// The lines without those of signatures of which one failed, and with other revisions of these from the last good rules. Lines
    /// of which one failed and that are themselves the last good revision have no replacement.
    private static func replacing(_ failed: [RuleLine], in lines: [RuleLine], by lastGood: [RuleLine]) -> [RuleLine] {
        let sids = Set(failed.map(\.sid))
        let failedAgain = Set(lastGood.filter(failed.contains).map(\.sid))
        let replacements = lastGood.filter { sids.contains($0.sid) && !failedAgain.contains($0.sid) }
        return (lines.filter { !sids.contains($0.sid) } + replacements).sorted { $0.sid < $1.sid }
    }

    /// Makes sure that the lines are in force, by the reload's time and the number of rules.
    ///
    /// - Returns: all rules that Suricata has loaded, other files' too.
    private mutating func confirm(
        _ lines: [RuleLine], isListed: Bool, since baseline: Baseline, _ control: SuricataControl
    ) throws(EpitopeError) -> Int {
        let rulesLoaded = try control.statistics().loaded
        guard try control.reloadTime() != baseline.reloadTime else { throw unconfirmed("its reload time did not change") }
        let expected = lines.count - baseline.rulesInForce
        let isShown = rulesLoaded - baseline.rulesLoaded == expected && (expected != 0 || isFileProven)
        // Of a file without rules nothing shows, where Suricata says that it loads it.
        guard isShown || !lines.isEmpty || !isListed else { return rulesLoaded }
        if !isShown { try probe(lines, isListed: isListed, control) }
        isFileProven = true
        return rulesLoaded
    }

    /// Connects. When Suricata does not run, the rules are written to the file, where it finds them when it starts.
    private func connect(orLeave wanted: [RuleLine]) throws(EpitopeError) -> SuricataControl {
        do {
            return try SuricataControl(settings)
        } catch {
            if error.code == .suricataStopped || error.code == .suricataAbsent {
                try file.write(text(wanted.map(\.text)))
            }
            throw error
        }
    }

    private func write(_ lines: [RuleLine], andReload control: SuricataControl) throws(EpitopeError) -> Double {
        try file.write(text(lines.map(\.text)))
        let begin = ContinuousClock.now
        try control.reload()
        return Self.milliseconds(since: begin)
    }

    /// The lines that Suricata's last load left out.
    private func failedRules(among lines: [RuleLine], _ control: SuricataControl) throws(EpitopeError) -> [RuleLine] {
        let texts = Set(try control.failedRules().map(\.rule))
        return lines.filter { texts.contains($0.text) }
    }

    /// Shows that Suricata reads the file where the number of rules doesn't show it (other files changed too, or as many
    /// rules came as went): a line that is not a valid rule must turn up among the failed ones.
    private func probe(_ lines: [RuleLine], isListed: Bool, _ control: SuricataControl) throws(EpitopeError) {
        let line =
            "alert epitope any any -> any any (msg:\"Epitope asks whether this file is loaded\"; sid:\(SIDRange.all.upperBound); rev:1;)"
        try file.write(text(lines.map(\.text) + [line]))
        try control.reload()
        let wasRead = try control.failedRules().contains { $0.rule == line }
        _ = try write(lines, andReload: control)
        guard wasRead else { throw notLoaded(isListed ? "Suricata can't read it" : Self.unlisted) }
    }

    static let unlisted = "it is not among rule-files in suricata.yaml"

    /// Why Suricata refused a rule. The socket gives no reasons, so the rule is tested alone by `suricata -T`.
    private func reason(for line: RuleLine, _ files: RuleFileList) throws(EpitopeError) -> EpitopeError {
        if let complaint = try RulesetTest(settings: settings).complaint(about: [line.text]) {
            return Self.refusal(of: line.sid, complaint)
        }
        if let other = files.otherFile(with: line.sid, than: settings.rulesFile) {
            return EpitopeError(
                .suricataRefused, "Suricata refused rule \(line.sid): a rule in \(other) has the same sid",
                remedy: "remove or renumber that rule: sids \(SIDRange.all.lowerBound) to \(SIDRange.all.upperBound) are Epitope's")
        }
        return Self.refusal(of: line.sid, "for a reason that only its log has (`suricata -T` accepts the rule alone)")
    }

    static func refusal(of sid: UInt32, _ complaint: String) -> EpitopeError {
        EpitopeError(
            .suricataRefused, "Suricata refused rule \(sid): \(complaint)",
            remedy: "the other rules are live; see Suricata's log, and report the rule if Epitope wrote it")
    }

    private func notLoaded(_ why: String) -> EpitopeError { Self.notLoaded(settings.rulesFile, why) }

    static func notLoaded(_ path: String, _ why: String) -> EpitopeError {
        EpitopeError(
            .suricataRulesFileNotLoaded, "Suricata does not load \(path): \(why)",
            remedy:
                "add the line \"  - \(path)\" under \"rule-files:\" in suricata.yaml, let Suricata's user read the file, and restart Suricata"
        )
    }

    private func unconfirmed(_ why: String) -> EpitopeError {
        EpitopeError(
            .suricataRefused, "Suricata reported that it reloaded its rules, but \(why)",
            remedy: "see Suricata's log; the center tries again")
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
