// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import Rendering
import Scheduling
import Synchronization

/// Delivers signature updates to the site's Suricata as live rules. A delivery is reported as done only when Suricata has
/// confirmed it.
///
/// Deliveries run one after the other on a thread of their own: they wait for files, a socket and a process, which must
/// not block Swift's own threads.
public final class SuricataDelivery: Sendable {
    private let settings: SuricataSettings
    private let queue = BlockingQueue(label: "epitope.suricata-delivery")
    /// For looks whether Suricata is there: they don't wait for a delivery.
    private let looks = BlockingQueue(label: "epitope.suricata-look")
    private let shapes: RuleShapeCache
    private let isFileProven = Mutex(false)
    /// `nil`: the last delivery did not show that Suricata doesn't load the file.
    private let unread = Mutex<UnreadFile?>(nil)
    /// What the last delivery left; `nil`: there was none since the center started.
    private let installed = Mutex<InstalledRules?>(nil)

    public init(_ settings: SuricataSettings) {
        self.settings = settings
        shapes = RuleShapeCache(RulesetTest(settings: settings))
    }

    /// Whether rules drop that may.
    public var isDropping: Bool { settings.action == .drop }

    /// Lets Suricata test the common shapes of rules once, so that no delivery has to. Call it at start, in the background;
    /// a delivery that comes first tests its own rules.
    ///
    /// - Returns: how long that took, in milliseconds.
    /// - Throws: `suricata-absent`, `suricata-timeout`, or `suricata-refused` when this Suricata does not understand
    ///   the rules that Epitope writes.
    @discardableResult
    public func prepare() async throws(EpitopeError) -> Double {
        try await queue.run { () throws(EpitopeError) in
            let begin = ContinuousClock.now
            // Rules alert first where the site's drop.
            let rules = self.isDropping ? CommonRuleShapes.rules(.drop, .alert) : CommonRuleShapes.rules(.alert)
            if let refusal = try self.shapes.refusals(of: rules).first {
                throw RulesetTransaction.refusal(of: refusal.key, refusal.value)
            }
            return RulesetTransaction.milliseconds(since: begin)
        }
    }

    /// What would keep rules from going live, as far as that can be seen before there are any, for a person; empty: nothing.
    public func problems() async -> [EpitopeError] {
        await run(abandoned: { [] }) { SuricataReadiness(settings: self.settings).problems() }
    }

    /// Why Suricata is out of reach now; `nil`: it is there, or a program listens on its socket and takes its time, as in a reload.
    public func absence() async -> EpitopeError? {
        var settings = settings
        settings.commandTimeout = min(settings.commandTimeout, Self.lookSeconds)
        return await looks.run { [settings] in
            do throws(EpitopeError) {
                _ = try SuricataControl(settings)
                return nil
            } catch {
                return error.code == .suricataTimeout ? nil : error
            }
        }
    }

    /// How long a look waits, in seconds.
    private static let lookSeconds = 2.0

    /// How long a delivery may take: two reloads where the last good rules are put back, and commands around them.
    public var maxInstallTime: Duration { .seconds(2 * settings.reloadTimeout + 12 * settings.commandTimeout) }

    /// Replaces Epitope's rules in Suricata by the rules of these updates.
    ///
    /// A rule that is refused is left out (its last good revision stays), and all others go live. When this method throws,
    /// nothing new is known to be live. When Suricata does not run, it loads the rules from the file when it starts.
    ///
    /// - Parameter updates: all that are in force, each with a number of its own.
    /// - Throws: `suricata-absent`, `suricata-stopped`, `suricata-refused`, `suricata-reload-refused`,
    ///   `suricata-timeout`, `suricata-rules-file-not-loaded`, `rules-file-foreign`, `rules-folder-unwritable` or `disk-full`.
    ///
    /// When the caller's task is cancelled this throws at once, and what was begun goes on by itself: a Suricata that hangs must not
    /// keep a center from ending.
    public func deliver(_ updates: [RuleAssignment]) async throws(EpitopeError) -> DeliveryOutcome {
        let outcome: Result<DeliveryOutcome, EpitopeError> = await run(abandoned: { .failure(Self.abandoned) }) {
            Result { () throws(EpitopeError) in try self.deliverNow(updates) }
        }
        return try outcome.get()
    }

    /// What is no longer as the last delivery left it in the rules file or in Suricata, for a person; `nil`: nothing, or Suricata
    /// doesn't answer and the file is right.
    ///
    /// - Parameter updates: what should be in force.
    public func difference(from updates: [RuleAssignment]) async -> String? {
        await run(abandoned: { nil }) {
            let expected = self.installed.withLock { $0 } ?? InstalledRules(lines: Set(self.render(updates).rules.map(\.text)))
            return expected.difference(
                file: RulesFile(path: self.settings.rulesFile).read(),
                loaded: try? SuricataControl(self.settings).statistics().loaded)
        }
    }

    /// This center's rules that stand in the rules file, whoever put them there; empty where there are none, or it can't be read.
    public func rulesInFile() async -> [SuricataRule] {
        await run(abandoned: { [] }) {
            let text = try? RulesFile(path: self.settings.rulesFile).readOwn(self.settings)
            return RulesFileText.rules(in: text ?? "")
        }
    }

    /// Runs work on the queue for a caller that may end first: when its task is cancelled it no longer waits, and gets the value of
    /// `abandoned` instead. The work goes on by itself, and the next piece waits for it.
    private func run<Value: Sendable>(
        abandoned: @escaping @Sendable () -> Value, _ work: @escaping @Sendable () -> Value
    ) async -> Value {
        do {
            return try await queue.runUnlessCancelled(work)
        } catch {
            return abandoned()
        }
    }

    private static let abandoned = EpitopeError(
        .suricataTimeout, "the delivery of rules was given up because the center ends",
        remedy: "start the center again: it delivers them then")

    private func deliverNow(_ updates: [RuleAssignment]) throws(EpitopeError) -> DeliveryOutcome {
        let begin = ContinuousClock.now
        var (rules, refused) = render(updates)
        for (sid, complaint) in try shapes.refusals(of: rules) {
            refused.append(.init(sid: sid, error: RulesetTransaction.refusal(of: sid, complaint)))
        }
        rules = rules.filter { rule in !refused.contains { $0.sid == rule.sid } }
        var outcome = try commit(rules.map { RuleLine(sid: $0.sid, text: $0.text) }, refused: refused)
        outcome.totalMilliseconds = RulesetTransaction.milliseconds(since: begin)
        return outcome
    }

    /// The rules of updates in the order of their numbers, and those that can't be written.
    private func render(_ updates: [RuleAssignment]) -> (rules: [SuricataRule], refused: [DeliveryOutcome.Refused]) {
        var (rules, refused): ([SuricataRule], [DeliveryOutcome.Refused]) = ([], [])
        for numbered in updates.sorted(by: { $0.sid < $1.sid }) {
            do throws(EpitopeError) {
                // All of a signature's rules, or none.
                let action = settings.action(for: numbered.update)
                var checked: [SuricataRule] = []
                for rule in try SuricataRule.rules(RuleInput(numbered), action: action) {
                    checked.append(try RuleSyntax.check(rule.text))
                }
                rules += checked
            } catch {
                refused.append(.init(sid: numbered.sid, error: error))
            }
        }
        return (rules, refused)
    }

    /// Delivers lines as they are. Tests use it to deliver a rule that Epitope would not write.
    func deliver(lines: [RuleLine]) async throws(EpitopeError) -> DeliveryOutcome {
        try await queue.run { () throws(EpitopeError) in try self.commit(lines, refused: []) }
    }

    private func commit(_ lines: [RuleLine], refused: [DeliveryOutcome.Refused]) throws(EpitopeError) -> DeliveryOutcome {
        var transaction = RulesetTransaction(settings: settings, isFileProven: isFileProven.withLock { $0 })
        if let unread = unread.withLock({ $0 }), let now = try? SuricataControl(settings).reloadTime(),
            unread.holds(reloadTime: now, now: .now)
        {
            try transaction.leave(lines)
            throw unread.error
        }
        let outcome: DeliveryOutcome
        do {
            outcome = try transaction.run(lines, refused: refused)
        } catch {
            let isUnread = error.code == .suricataRulesFileNotLoaded
            let left = isUnread ? try? SuricataControl(settings).reloadTime() : nil
            unread.withLock { $0 = left.map { UnreadFile(error: error, reloadTime: $0, since: .now) } }
            throw error
        }
        unread.withLock { $0 = nil }
        isFileProven.withLock { $0 = transaction.isFileProven }
        let text = RulesFile(path: settings.rulesFile).read() ?? ""
        let left = InstalledRules(lines: Set(RulesFileText.rules(in: text).map(\.text)), rulesLoaded: outcome.rulesLoaded)
        installed.withLock { $0 = left }
        return outcome
    }
}
