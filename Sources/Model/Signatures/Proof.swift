// SPDX-License-Identifier: Apache-2.0

/// The verification report of a signature: each check with its outcome, for people to read and for the center to act on.
///
/// A signature whose proof did not pass is stored with the reasons and never delivered. Which checks there are, and what
/// each means, is defined by the module SignatureProving.
public struct Proof: Hashable, Sendable, Codable {
    /// One check and its outcome.
    public struct Check: Hashable, Sendable, Codable {
        /// The stable name of a check, such as `matches-samples`.
        ///
        /// The set is open: a proof that another version of this program made may have checks that this one doesn't know.
        public struct Name: RawRepresentable, Hashable, Sendable, Codable, CustomStringConvertible {
            public let rawValue: String

            public init(rawValue: String) {
                self.rawValue = rawValue
            }

            public var description: String { rawValue }
        }

        /// The result of a check.
        public enum Outcome: String, Hashable, Sendable, Codable, CaseIterable {
            case passed
            case failed
            /// The data that the check needs was not available, and may be missing.
            case notChecked = "not-checked"
        }

        public var name: Name
        public var outcome: Outcome
        /// What was found, for a person.
        public var detail: String

        public init(_ name: Name, _ outcome: Outcome, _ detail: String) {
            self.name = name
            self.outcome = outcome
            self.detail = detail
        }

        /// A check that was made.
        public init(_ name: Name, passed: Bool, _ detail: String) {
            self.init(name, passed ? .passed : .failed, detail)
        }
    }

    public var checks: [Check]

    public init(checks: [Check]) {
        self.checks = checks
    }

    /// Whether no check failed and at least one passed: a proof without a result does not pass.
    public var passed: Bool {
        checks.contains { $0.outcome == .passed } && !checks.contains { $0.outcome == .failed }
    }

    /// The check with this name; `nil` where it was not reached.
    public func check(_ name: Check.Name) -> Check? {
        checks.first { $0.name == name }
    }
}
