// SPDX-License-Identifier: Apache-2.0

public import CenterStore
public import EpitopeModel
import Signatures

/// Refuses a report whose signature can't be analysed, before it is stored. That the sender has the role for the report, that
/// a packet is its own and that a packet is within its bounds was checked where the message came in (CenterServer).
public enum ReportCheck {
    /// - Throws: `signature-malformed`.
    public static func check(_ report: Report) throws(EpitopeError) {
        switch report.body {
        case .packet: break
        case .forward(let forward): try check(forward.signature)
        case .update(let update): try check(update.signature)
        }
    }

    private static func check(_ signature: Signature) throws(EpitopeError) {
        guard signature.isWellFormed else {
            throw EpitopeError(
                .signatureMalformed, "a signature breaks the bounds on tokens, gaps or context",
                remedy: "upgrade the sending center to the version of this one")
        }
    }
}
