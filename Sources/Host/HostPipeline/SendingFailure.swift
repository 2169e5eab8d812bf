// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// What a failed sending means for the packet and for those behind it.
enum SendingFailure: Hashable {
    /// The center will never take this packet: it is kept aside with the reason, the next one is sent.
    case packetRefused
    /// The center takes nothing from this host: sending stops, the spool keeps everything until a person has enrolled
    /// the host anew and started it again.
    case hostTurnedAway
    /// It may go better later: unreachable, busy, out of space, or something that answers in the center's place.
    case temporary

    /// By the code alone: the words may change. What we don't know may pass; nothing is lost by trying on.
    init(_ code: EpitopeError.Code) {
        switch code.rawValue {
        case "packet-malformed", "packet-too-large", "packet-version-unknown", "caller-outside-code", "identity-mismatch",
            "request-malformed", "request-too-large":
            self = .packetRefused
        case "revoked", "role-not-allowed", "identity-missing", "identity-malformed", "key-malformed", "destination-unknown":
            self = .hostTurnedAway
        case let code where code.hasPrefix("certificate-"):
            self = .hostTurnedAway
        default:
            self = .temporary
        }
    }
}
