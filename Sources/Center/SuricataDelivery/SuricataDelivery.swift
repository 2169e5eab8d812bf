// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import Rendering
import Scheduling
import Synchronization

/// Brings signature updates into the site's Suricata as live rules, and says so only when Suricata confirmed them.
///
/// Deliveries run one after the other on a thread of their own, since all of it waits for files, a socket and a
/// process: Swift's own threads are never held up.
public final class SuricataDelivery: Sendable {
    private let settings: SuricataSettings
    private let queue = BlockingQueue(label: "epitope.suricata-delivery")
    private let forms: RuleShapeCache
    private let isFileProven = Mutex(false)

    public init(_ settings: SuricataSettings) {
        self.settings = settings
        forms = RuleShapeCache(RulesetTest(settings: settings))
    }

    /// Has Suricata check the usual forms of rules once, so that no delivery has to. Call it at start, in the
    /// background; a delivery that comes first checks its own forms.
    ///
    /// - Returns: how long that took, in milliseconds.
    /// - Throws: `suricata-absent`, `suricata-timeout`, or `suricata-refused` when this Suricata does not understand
    ///   the rules that Epitope writes.
    @discardableResult
    public func prepare() async throws(EpitopeError) -> Double {
        try await queue.run { () throws(EpitopeError) in
            let begin = ContinuousClock.now
            if let refusal = try self.forms.refusals(of: CommonRuleShapes.rules(self.settings.action)).first {
                throw RulesetTransaction.refusal(of: refusal.key, refusal.value)
            }
            return RulesetTransaction.milliseconds(since: begin)
        }
    }

    /// Makes these updates, and no others, the rules of Epitope in Suricata.
    ///
    /// A rule that is refused is left out (its last good revision stays), and all others go live. When this throws,
    /// nothing new is known to be live. A Suricata that does not run finds the rules in its file when it starts.
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
                    let rule = try SuricataRule(RuleInput(numbered), action: self.settings.action)
                    rules.append(try RuleSyntax.check(rule.text))
                } catch {
                    refused.append(.init(sid: numbered.sid, error: error))
                }
            }
            for (sid, complaint) in try self.forms.refusals(of: rules) {
                refused.append(.init(sid: sid, error: RulesetTransaction.refusal(of: sid, complaint)))
            }
            let left = rules.filter { rule in !refused.contains { $0.sid == rule.sid } }
            var outcome = try self.publish(left.map { RuleLine(sid: $0.sid, text: $0.text) }, refused: refused)
            outcome.totalMilliseconds = RulesetTransaction.milliseconds(since: begin)
            return outcome
        }
    }

    /// Delivers lines as they are: what tests use to bring a rule to Suricata that Epitope would not write.
    func deliver(lines: [RuleLine]) async throws(EpitopeError) -> DeliveryOutcome {
        try await queue.run { () throws(EpitopeError) in try self.publish(lines, refused: []) }
    }

    private func publish(_ lines: [RuleLine], refused: [DeliveryOutcome.Refused]) throws(EpitopeError) -> DeliveryOutcome {
        var publication = RulesetTransaction(settings: settings, isFileProven: isFileProven.withLock { $0 })
        let outcome = try publication.run(lines, refused: refused)
        isFileProven.withLock { $0 = publication.isFileProven }
        return outcome
    }
}
