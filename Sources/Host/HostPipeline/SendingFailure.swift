// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// The consequence of a failed attempt to send, for the packet and for those behind it in the spool.
enum SendingFailure: Hashable {
    /// The center will never accept this packet: it is set aside with the reason, and the next one is sent.
    case packetRefused
    /// The center accepts nothing from this host, until its identity is another or the center thinks better of it: sending is
    /// tried again when the identity changes, and seldom. The spool keeps everything.
    case hostTurnedAway
    /// A later attempt may succeed: the center is unreachable, busy or out of space, or another server answers in its place.
    case temporary

    /// By the code alone: the wording may change. An unknown code counts as temporary: trying again loses nothing.
    init(_ error: EpitopeError) {
        if error.isFinalForMessage {
            self = .packetRefused
        } else if EpitopeError.Code.senderRefusals.contains(error.code) {
            self = .hostTurnedAway
        } else {
            self = .temporary
        }
    }
}
