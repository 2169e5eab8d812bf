// SPDX-License-Identifier: Apache-2.0

import SignatureMaking
import Signatures

/// The checks that need nothing but the signature, or the packets of its cluster.
enum FormChecks {
    /// Form and substance of a signature. The only check of a malformed signature is `Proof.Check.Name.wellFormed`.
    ///
    /// - Parameter enough: what it must hold.
    static func checks(of signature: Signature, enough: Signature.Substance = Signature.Substance()) -> [Proof.Check] {
        let wellFormed = wellFormed(signature)
        guard wellFormed.outcome == .passed else { return [wellFormed] }
        return [wellFormed, longEnough(signature, enough), notFill(signature, enough), notText(signature)]
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

    private static func longEnough(_ signature: Signature, _ enough: Signature.Substance) -> Proof.Check {
        let count = signature.fixedBytes
        let isWindow = (CallerWindow.lengths.lowerBound..<enough.fixedBytes).contains(count)
        return Proof.Check(
            .longEnough, passed: count >= enough.fixedBytes,
            "\(count) bytes, at least \(enough.fixedBytes) needed" + (isWindow ? "; the center's setting callerWindow allows fewer" : ""))
    }

    private static func notFill(_ signature: Signature, _ enough: Signature.Substance) -> Proof.Check {
        let distinct = Set(signature.fixedValues).count
        return Proof.Check(
            .notFill, passed: distinct >= enough.distinctBytes,
            "\(distinct) distinct byte values, at least \(enough.distinctBytes) needed")
    }

    private static func notText(_ signature: Signature) -> Proof.Check {
        let isText = TextBytes.isPart(of: signature)
        return Proof.Check(
            .notText, passed: !isText,
            isText ? "most of a token is text, which anybody's traffic may hold" : "no token is text")
    }

    /// Whether a signature's bytes are the attack's code, and whether they are at the call.
    ///
    /// - Parameter places: in packets that it matches.
    static func ofTheCode(_ places: [Sample.Place]) -> [Proof.Check] {
        guard !places.isEmpty else {
            return [Proof.Check(.ofTheCode, .notChecked, "no packet holds its bytes as they are")]
        }
        let beside = places.count { $0 == .beside }
        let isOfCode = 2 * beside < places.count
        let isAtCall = places.allSatisfy { $0 == .atCall }
        return [
            Proof.Check(
                .ofTheCode, passed: isOfCode,
                isOfCode
                    ? "its bytes are of the code around the call, or of other code of the packet"
                    : "in \(beside) of \(places.count) packets its bytes lie beside the code: a head, padding, or other people's data"),
            isAtCall
                ? Proof.Check(.atTheCall, .passed, "its bytes end at the call, or go on behind it")
                : Proof.Check(
                    .atTheCall, .notChecked, "its bytes lie elsewhere in the code: without captures of benign traffic its rule only alerts"),
        ]
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

    /// Adds `Proof.Check.Name.atTheCall` at its place in the order of the report.
    mutating func insert(atTheCall check: Check) {
        checks.insert(check, at: checks.firstIndex { $0.name == .absentFromGoodware } ?? checks.count)
    }
}
