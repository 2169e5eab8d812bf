// SPDX-License-Identifier: Apache-2.0

public import Signatures

/// Whether a newly proven signature takes the place of an update in force of the same attack: a variant revises a rule
/// instead of adding one.
public enum RevisionDecision {
    /// Whether the rule of the new signature does no less than that of the older update: it looks in all of its traffic, and
    /// drops if that does.
    public static func isAllowed(_ signature: Signature, _ proof: Proof, over older: SignatureUpdate) -> Bool {
        signature.id != older.signature.id && signature.context.covers(older.signature.context)
            && (proof.allowsDropping || !older.mayDrop)
    }

    /// For each new signature, the updates whose place it takes, by their index; each goes to the first that may have it.
    ///
    /// A signature takes an update's place if it matches each packet that the update's signature matches, and at least one; or
    /// if it certainly matches all that it matches (``Signatures/Signature/covers(_:)``). An attacker who adds packets to a
    /// cluster can make a rule wider with that, and never rid it of what it was made of.
    ///
    /// - Parameters:
    ///   - proven: each with the context that its update gets, and its proof.
    ///   - packets: the code of packets of the cluster: the newest, and the oldest, of which the first rules were made.
    public static func revised(by proven: [(signature: Signature, proof: Proof)], standing: [SignatureUpdate], packets: [[UInt8]])
        -> [[Int]]
    {
        var revised = [[Int]](repeating: [], count: proven.count)
        let ids = Set(proven.map(\.signature.id))
        for (index, older) in standing.enumerated() where !ids.contains(older.signature.id) {
            let matcher = SignatureMatcher(older.signature)
            let matched = packets.filter(matcher.matches)
            let successor = proven.firstIndex { signature, proof in
                guard isAllowed(signature, proof, over: older) else { return false }
                let newer = SignatureMatcher(signature)
                return !matched.isEmpty && matched.allSatisfy(newer.matches) || signature.covers(older.signature)
            }
            if let successor { revised[successor].append(index) }
        }
        return revised
    }
}
