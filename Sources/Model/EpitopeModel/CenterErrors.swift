// SPDX-License-Identifier: Apache-2.0

// The codes with which a center refuses a message, and those that keep a sender from sending. Hosts and centers share
// them: by them a sender decides whether to send a message again.

extension EpitopeError.Code {
    // The message.
    /// A message is longer than its bound, and was not decoded.
    public static let packetTooLarge = EpitopeError.Code("packet-too-large")
    /// A message cannot be decoded, or a field of it is out of its bounds.
    public static let packetMalformed = EpitopeError.Code("packet-malformed")
    /// A message is of a version of the schema that this program does not know.
    public static let packetVersionUnknown = EpitopeError.Code("packet-version-unknown")
    /// A packet names a caller's address that its code does not hold.
    public static let callerOutsideCode = EpitopeError.Code("caller-outside-code")
    /// A forwarded signature or an update breaks the bounds on tokens, gaps or context.
    public static let signatureMalformed = EpitopeError.Code("signature-malformed")
    /// A message names another host than its sender's certificate (or than the site that forwards it) does.
    public static let identityMismatch = EpitopeError.Code("identity-mismatch")
    /// The body or the query of a request is not of its form.
    public static let requestMalformed = EpitopeError.Code("request-malformed")
    /// The body of a request is longer than its bound.
    public static let requestTooLarge = EpitopeError.Code("request-too-large")

    // The sender.
    /// The request needs the certificate of an enrolled host or local center.
    public static let certificateRequired = EpitopeError.Code("certificate-required")
    /// A certificate is out of date, by the clock of the one who checks it. It may be renewed for some time yet.
    public static let certificateExpired = EpitopeError.Code("certificate-expired")
    /// A certificate's time has not come, by the clock of the one who checks it: one of two clocks is wrong. It passes.
    public static let certificateNotYetValid = EpitopeError.Code("certificate-not-yet-valid")
    /// A certificate was issued by another authority.
    public static let certificateForeign = EpitopeError.Code("certificate-foreign")
    /// A certificate cannot be read, or breaks the rules for its role.
    public static let certificateMalformed = EpitopeError.Code("certificate-malformed")
    /// A private key cannot be read, or belongs to another certificate.
    public static let keyMalformed = EpitopeError.Code("key-malformed")
    /// The certificate was revoked.
    public static let revoked = EpitopeError.Code("revoked")
    /// The certificate's role may not do this.
    public static let roleNotAllowed = EpitopeError.Code("role-not-allowed")
    /// A sender has stored as much as one may in a day.
    public static let senderOverShare = EpitopeError.Code("sender-over-share")
    /// A sender asks for something more often than one may: it may again soon.
    public static let senderTooOften = EpitopeError.Code("sender-too-often")
    /// This machine is not enrolled.
    public static let identityMissing = EpitopeError.Code("identity-missing")
    /// This machine's stored identity cannot be read.
    public static let identityMalformed = EpitopeError.Code("identity-malformed")
    /// Packets are to go to a center that this host is not enrolled at.
    public static let destinationUnknown = EpitopeError.Code("destination-unknown")

    // The connection.
    /// Nobody answered at the center's address.
    public static let centerUnreachable = EpitopeError.Code("center-unreachable")
    /// The center does not offer the service that was asked for.
    public static let notServedHere = EpitopeError.Code("not-served-here")
    /// A packet was offered by its code's digest, and the center doesn't have the code: the packet is to be sent whole.
    public static let codeWanted = EpitopeError.Code("code-wanted")
    /// An answer that no center gives: no receipt for the message, no error body.
    public static let answerMalformed = EpitopeError.Code("answer-malformed")

    /// Refusals of the message itself: sent again, it would be refused again.
    public static let messageRefusals: Set<EpitopeError.Code> = [
        .packetTooLarge, .packetMalformed, .packetVersionUnknown, .callerOutsideCode, .signatureMalformed, .identityMismatch,
        .requestMalformed, .requestTooLarge,
    ]

    /// Refusals of the sender, which end when a person has enrolled it again, or its certificate is renewed.
    public static let senderRefusals: Set<EpitopeError.Code> = [
        .certificateRequired, .certificateExpired, .certificateForeign, .certificateMalformed, .keyMalformed, .revoked,
        .roleNotAllowed, .identityMissing, .identityMalformed, .destinationUnknown,
    ]
}

extension EpitopeError {
    /// Whether a center's refusal is final for the message: sent again, it would be refused again. After any other error
    /// (a network, a full disk, a certificate that is renewed) the sender keeps the message.
    public var isFinalForMessage: Bool { Code.messageRefusals.contains(code) }
}
