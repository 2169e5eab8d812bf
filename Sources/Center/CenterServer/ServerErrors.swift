// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Scheduling
import SecureChannel

extension EpitopeError.Code {
    /// The server cannot listen on its address and port.
    public static let listeningFailed = EpitopeError.Code("listening-failed")
}

/// The refusals that the server itself answers with, before or instead of the center's service.
enum ServerErrors {
    static let certificateRequired = EpitopeError(
        .certificateRequired, "this request needs the certificate of an enrolled host or local center",
        remedy: "enrol with `epitope enroll --center URL --token TOKEN`")

    static let notServedHere = EpitopeError(
        .notServedHere, "this center does not offer that service",
        remedy: "check the address: local centers accept packets; the global center also accepts forwards and updates")

    static func anotherKind(_ scope: CenterScope, meant: CenterScope, _ role: Identity.Role?) -> EpitopeError {
        let remedy =
            switch (meant, role) {
            case (.global, .localCenter?): "link the site at a global center, with a token from there"
            case (.global, _): "leave --global out to enrol here, or give a global center's address, and a token from there"
            case (.local, _): "add --global to enrol here, or give a local center's address, and a token from there"
            }
        return EpitopeError(
            .centerOfAnotherKind, "this is a \(scope), and not a \(meant); the token was not used up", remedy: remedy)
    }

    static let codeWanted = EpitopeError(
        .codeWanted, "this center does not have the code that the packet was offered with", remedy: "send the packet whole")

    static func roleNotAllowed(_ identity: Identity) -> EpitopeError {
        EpitopeError(
            .roleNotAllowed, "a \(identity.role.rawValue) may not use this service",
            remedy: "enrol with a token for a role that may")
    }

    static func tooOften(_ identity: Identity, _ what: String, seconds: Int) -> EpitopeError {
        EpitopeError(
            .senderTooOften, "\(identity.role.rawValue) \(identity.name) \(what) more often than it may",
            remedy: "nothing: it is tried again later; if it goes on, somebody else may have the key of that sender",
            retryAfterSeconds: seconds)
    }

    static func tooManyEnrol(_ refusal: FairQueueRefusal) -> EpitopeError {
        switch refusal {
        case .full:
            EpitopeError(
                .storeBusy, "too many enrolments are under way; the token was not used up", remedy: "enrol again in a moment",
                retryAfterSeconds: 5)
        case .shareUsed:
            EpitopeError(
                .senderBusy, "too many enrolments from one address are under way; the token was not used up",
                remedy: "enrol again in a moment; if it goes on, find out who sends so many from there", retryAfterSeconds: 5)
        }
    }

    /// Nobody gets it: it is for the log.
    static let leftBeforeItsTurn = EpitopeError(
        .storeBusy, "the connection of who asked for a certificate ended first; the token was not used up",
        remedy: "enrol again in a moment", retryAfterSeconds: 5)

    static let enrolledInVain = EpitopeError(
        .senderTooOften, "too many enrolments were refused on this connection",
        remedy: "check the token; to try again, connect again", retryAfterSeconds: 5)

    static func identityMismatch(claimed: String, sender: String) -> EpitopeError {
        EpitopeError(
            .identityMismatch, "the packet names host '\(claimed.prefix(64))', but it was sent as '\(sender)'",
            remedy: "send it with the certificate of the host that made it")
    }

    static func malformed(_ what: String) -> EpitopeError {
        EpitopeError(
            .requestMalformed, "the request is malformed: \(what)",
            remedy: "update the center and the sender to the same version of epitope")
    }

    static func tooLarge(max: Int) -> EpitopeError {
        EpitopeError(
            .requestTooLarge, "the request is larger than \(max) bytes",
            remedy: "update the center and the sender to the same version of epitope")
    }

    static func failure(id: String) -> EpitopeError {
        EpitopeError(
            .internalFailure, "the center could not process the request; its log has the reason under \(id)",
            remedy: "try again later; if it persists, give that id to the center's operator")
    }
}
