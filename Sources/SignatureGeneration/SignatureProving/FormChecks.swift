// SPDX-License-Identifier: Apache-2.0

import Signatures

/// The checks that need nothing but the signature, or the packets of its cluster.
enum FormChecks {
    /// Form and substance of a signature. The only check of a malformed signature is `Proof.Check.Name.wellFormed`.
    static func checks(of signature: Signature) -> [Proof.Check] {
        let wellFormed = wellFormed(signature)
        guard wellFormed.outcome == .passed else { return [wellFormed] }
        return [wellFormed, longEnough(signature), notFill(signature)]
    }

    /// What is said of a cluster none of whose packets holds malicious code.
    static func noMaliciousCode(_ packets: Int) -> Proof.Check {
        Proof.Check(
            .ofMaliciousCode, passed: false,
            "the evidence of \(packets == 1 ? "its packet" : "its \(packets) packets") is not of the code at the caller's address, "
                + "which is an image's or the program's own")
    }

    private static func wellFormed(_ signature: Signature) -> Proof.Check {
        let isWellFormed = signature.isWellFormed
        return Proof.Check(
            .wellFormed, passed: isWellFormed,
            isWellFormed ? "tokens, gaps and context keep the bounds" : "tokens, gaps or context break the bounds")
    }

    private static func longEnough(_ signature: Signature) -> Proof.Check {
        let count = signature.fixedBytes
        return Proof.Check(
            .longEnough, passed: count >= Signature.minFixedBytes, "\(count) bytes, at least \(Signature.minFixedBytes) needed")
    }

    private static func notFill(_ signature: Signature) -> Proof.Check {
        let distinct = Set(signature.fixedValues).count
        return Proof.Check(
            .notFill, passed: distinct >= Signature.minDistinctBytes,
            "\(distinct) distinct byte values, at least \(Signature.minDistinctBytes) needed")
    }

    /// How many packets of its cluster a signature matches.
    ///
    /// - Parameter remark: what else there is to say, with its punctuation.
    static func matchesSamples(_ matched: Int, of all: Int, passed: Bool, remark: String = "") -> Proof.Check {
        Proof.Check(.matchesSamples, passed: passed, "\(matched) of \(all) packets of the cluster matched\(remark)")
    }
}

extension Proof {
    /// Adds `Proof.Check.Name.matchesSamples` at its place in the order of the report.
    mutating func insert(matchesSamples check: Check) {
        checks.insert(check, at: min(1, checks.count))
    }
}
