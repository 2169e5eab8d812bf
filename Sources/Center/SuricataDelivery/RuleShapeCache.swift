// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Rendering
import Signatures
import Synchronization

/// The shapes of rules that the installed Suricata has accepted, so that a rule of a known shape needs no test.
final class RuleShapeCache: Sendable {
    private struct Accepted {
        /// The program that accepted them.
        var program: FileIdentity?
        var shapes: Set<RuleShape> = []
    }

    private let accepted = Mutex(Accepted())
    private let test: RulesetTest

    init(_ test: RulesetTest) {
        self.test = test
    }

    /// Tests the rules whose shape is not known; those of known shapes cost nothing.
    ///
    /// - Returns: Suricata's complaint for each rule that it would refuse.
    func refusals(of rules: [SuricataRule]) throws(EpitopeError) -> [UInt32: String] {
        let program = test.programIdentity()
        let known = accepted.withLock { accepted in
            // Suricata was replaced: what another program accepted is of no use.
            if accepted.program != program { accepted = Accepted(program: program) }
            return accepted.shapes
        }
        let unknown = rules.filter { !known.contains(RuleShape($0)) }
        guard !unknown.isEmpty else { return [:] }
        var refusals: [UInt32: String] = [:]
        if try test.complaint(about: unknown.map(\.text)) != nil {
            for rule in unknown {
                if let complaint = try test.complaint(about: [rule.text]) { refusals[rule.sid] = complaint }
            }
        }
        let shapes = Set(unknown.filter { refusals[$0.sid] == nil }.map { RuleShape($0) })
        accepted.withLock { $0.shapes.formUnion(shapes) }
        return refusals
    }
}
