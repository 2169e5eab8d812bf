// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import SecureChannel

/// The refusals that the HTTPS face makes itself.
enum Refusals {
    static let certificateRequired = EpitopeError(
        .certificateRequired, "this needs the certificate of an enrolled host or local center",
        remedy: "enrol with `epitope enroll --center URL --token TOKEN`")

    static let notServedHere = EpitopeError(
        .notServedHere, "this center does not serve that",
        remedy: "check the address: local centers take packets, the global center forwards and updates too")

    static func roleNotAllowed(_ identity: Identity) -> EpitopeError {
        EpitopeError(
            .roleNotAllowed, "a \(identity.role.rawValue) may not do that",
            remedy: "enrol with a token for the role that may")
    }

    static func revoked(_ identity: Identity) -> EpitopeError {
        EpitopeError(
            .revoked, "the certificate of \(identity.role.rawValue) \(identity.name) was revoked",
            remedy: "have the center's operator look into it, then enrol again with a new token")
    }

    static func identityMismatch(claimed: String, sender: String) -> EpitopeError {
        EpitopeError(
            .identityMismatch, "the message claims to be from '\(claimed.prefix(64))', its certificate says '\(sender)'",
            remedy: "send it with the identity that it was made under")
    }

    static func malformed(_ what: String) -> EpitopeError {
        EpitopeError(
            .requestMalformed, "the request can't be used: \(what)",
            remedy: "update the center and the sender to the same version of epitope")
    }

    static func tooLarge(most: Int) -> EpitopeError {
        EpitopeError(
            .requestTooLarge, "the request is larger than \(most) bytes",
            remedy: "update the center and the sender to the same version of epitope")
    }

    static func failure(id: String) -> EpitopeError {
        EpitopeError(
            .internalFailure, "the center failed on this, and has logged it as \(id)",
            remedy: "try again later; the center's operator finds the reason in its log under that id")
    }
}
