// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// What was shown of a signature before it may be delivered: each check with its outcome, for people to read and for
/// the center to act on. A signature whose proof did not pass is kept with its reasons and never delivered.
public struct Proof: Hashable, Sendable, Codable {
    /// One check and its outcome.
    public struct Check: Hashable, Sendable, Codable {
        /// What came of a check.
        public enum Outcome: String, Hashable, Sendable, Codable, CaseIterable {
            case passed
            case failed
            /// What it would have been checked against was not at hand, and may be absent.
            case notChecked = "not-checked"
        }

        /// A stable name, such as `matches-samples`.
        public var name: String
        public var outcome: Outcome
        /// What was found, for a person.
        public var detail: String

        public init(name: String, outcome: Outcome, detail: String) {
            self.name = name
            self.outcome = outcome
            self.detail = detail
        }

        public init(name: String, passed: Bool, detail: String) {
            self.init(name: name, outcome: passed ? .passed : .failed, detail: detail)
        }
    }

    public var checks: [Check]

    public init(checks: [Check]) {
        self.checks = checks
    }

    /// Whether no check failed and at least one passed: a proof that has shown nothing does not pass.
    public var passed: Bool {
        checks.contains { $0.outcome == .passed } && !checks.contains { $0.outcome == .failed }
    }

    /// The fewest distinct byte values that a signature must hold. Fill and padding (`00`, `90`, `cc`, short repeats)
    /// stay below it; the windows of calls lie well above.
    public static let fewestDistinctBytes = 8

    /// The fewest bytes that all tokens of a signature must hold together.
    public static let fewestBytes = 16

    /// Whether fixed bytes are enough, and no fill.
    public static func isSubstantial(_ bytes: [UInt8]) -> Bool {
        bytes.count >= fewestBytes && Set(bytes).count >= fewestDistinctBytes
    }

    /// Proves a signature against the code of its cluster.
    ///
    /// - Parameter samples: the code, or where only that was sent the caller window, of every packet of the cluster.
    public init(of signature: Signature, samples: [[UInt8]]) {
        let missed = samples.filter { !signature.matches($0) }.count
        let bytes = signature.tokens.flatMap { token in token.fixedRuns.flatMap { token.bytes[$0] } }
        let distinct = Set(bytes).count
        self.init(checks: [
            Check(
                name: "matches-samples", passed: missed == 0 && !samples.isEmpty,
                detail: "\(samples.count - missed) of \(samples.count) packets of the cluster matched"),
            Check(
                name: "long-enough", passed: bytes.count >= Self.fewestBytes,
                detail: "\(bytes.count) bytes, at least \(Self.fewestBytes) needed"),
            Check(
                name: "not-fill", passed: distinct >= Self.fewestDistinctBytes,
                detail: "\(distinct) distinct byte values, at least \(Self.fewestDistinctBytes) needed"),
        ])
    }
}
