// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Rendering
import Signatures
import Synchronization

/// The forms of rules that the installed Suricata has been shown to understand.
final class RuleShapeCache: Sendable {
    private struct Proven {
        var program: FileIdentity?
        var forms: Set<RuleShape> = []
    }

    private let proven = Mutex(Proven())
    private let trial: RulesetTest

    init(_ trial: RulesetTest) {
        self.trial = trial
    }

    /// Checks rules whose form has not been proven; those of proven forms cost nothing.
    ///
    /// - Returns: Suricata's complaint for each rule that it would refuse.
    func refusals(of rules: [SuricataRule]) throws(EpitopeError) -> [UInt32: String] {
        let program = trial.programIdentity()
        let known = proven.withLock { proven in
            // Another program than the one that was asked: ask again.
            if proven.program != program { proven = Proven(program: program) }
            return proven.forms
        }
        let open = rules.filter { !known.contains(RuleShape($0)) }
        guard !open.isEmpty else { return [:] }
        var refusals: [UInt32: String] = [:]
        if try trial.complaint(about: open.map(\.text)) != nil {
            for rule in open { refusals[rule.sid] = try trial.complaint(about: [rule.text]) }
        }
        let accepted = Set(open.filter { refusals[$0.sid] == nil }.map { RuleShape($0) })
        proven.withLock { $0.forms.formUnion(accepted) }
        return refusals
    }
}
