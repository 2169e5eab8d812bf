// SPDX-License-Identifier: Apache-2.0

import Signatures

extension Proof {
    /// Every check with its outcome, for a person.
    var summary: String {
        checks.map { check in
            let outcome = check.outcome == .passed ? "" : check.outcome == .failed ? "FAILED: " : "not checked: "
            return "\(check.name): \(outcome)\(check.detail)"
        }.joined(separator: "; ")
    }

    /// The checks that failed, for a person; `nil` when the proof passed.
    var failures: String? {
        if passed { return nil }
        let failed = checks.filter { $0.outcome == .failed }.map { "\($0.name): \($0.detail)" }.joined(separator: "; ")
        return failed.isEmpty ? "nothing was checked" : failed
    }
}
