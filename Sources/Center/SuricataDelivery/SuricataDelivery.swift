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
    private let shapes: RuleShapeCache
    private let isFileProven = Mutex(false)

    public init(_ settings: SuricataSettings) {
        self.settings = settings
        shapes = RuleShapeCache(RulesetTest(settings: settings))
    }

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
            if let refusal = try self.shapes.refusals(of: CommonRuleShapes.rules(self.settings.action)).first {
                throw RulesetTransaction.refusal(of: refusal.key, refusal.value)
            }
            return RulesetTransaction.milliseconds(since: begin)
        }
    }

    /// Replaces Epitope's rules in Suricata by the rules of these updates.
    ///
    /// A rule that is refused is left out (its last good revision stays), and all others go live. When this method throws,
    /// nothing new is known to be live. When Suricata does not run, it loads the rules from the file when it starts.
    ///
    /// - Parameter updates: all that are in force, each with a number of its own.
    /// - Throws: `suricata-absent`, `suricata-stopped`, `suricata-refused`, `suricata-reload-refused`,
    ///   `suricata-timeout`, `suricata-rules-file-not-loaded`, `rules-folder-unwritable` or `disk-full`.
    public func deliver(_ updates: [RuleAssignment]) async throws(EpitopeError) -> DeliveryOutcome {
        try await queue.run { () throws(EpitopeError) in
            let begin = ContinuousClock.now
            var rules: [SuricataRule] = []
            var refused: [DeliveryOutcome.Refused] = []
            for numbered in updates.sorted(by: { $0.sid < $1.sid }) {
                do throws(EpitopeError) {
                    // All of a signature's rules, or none.
                    let action = self.settings.action(for: numbered.update)
                    var checked: [SuricataRule] = []
                    for rule in try SuricataRule.rules(RuleInput(numbered), action: action) {
                        checked.append(try RuleSyntax.check(rule.text))
                    }
                    rules += checked
                } catch {
                    refused.append(.init(sid: numbered.sid, error: error))
                }
            }
            for (sid, complaint) in try self.shapes.refusals(of: rules) {
                refused.append(.init(sid: sid, error: RulesetTransaction.refusal(of: sid, complaint)))
            }
            let sound = rules.filter { rule in !refused.contains { $0.sid == rule.sid } }
            var outcome = try self.commit(sound.map { RuleLine(sid: $0.sid, text: $0.text) }, refused: refused)
            outcome.totalMilliseconds = RulesetTransaction.milliseconds(since: begin)
            return outcome
        }
    }

    /// Delivers lines as they are. Tests use it to deliver a rule that Epitope would not write.
    func deliver(lines: [RuleLine]) async throws(EpitopeError) -> DeliveryOutcome {
        try await queue.run { () throws(EpitopeError) in try self.commit(lines, refused: []) }
    }

    private func commit(_ lines: [RuleLine], refused: [DeliveryOutcome.Refused]) throws(EpitopeError) -> DeliveryOutcome {
        var transaction = RulesetTransaction(settings: settings, isFileProven: isFileProven.withLock { $0 })
        let outcome = try transaction.run(lines, refused: refused)
        isFileProven.withLock { $0 = transaction.isFileProven }
        return outcome
    }
}
