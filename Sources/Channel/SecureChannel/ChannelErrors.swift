// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

// The codes of the secure channel: those that a person meets at a host and those that a center answers with.
extension EpitopeError.Code {
    // The authority and what it issues.
    public static let authorityMissing = EpitopeError.Code("authority-missing")
    public static let authorityExists = EpitopeError.Code("authority-exists")
    public static let certificateExpired = EpitopeError.Code("certificate-expired")
    public static let certificateForeign = EpitopeError.Code("certificate-foreign")
    public static let certificateMalformed = EpitopeError.Code("certificate-malformed")
    public static let keyMalformed = EpitopeError.Code("key-malformed")
    public static let nameInvalid = EpitopeError.Code("name-invalid")
    public static let stateUnwritable = EpitopeError.Code("state-unwritable")

    // Enrolment.
    public static let tokenMalformed = EpitopeError.Code("token-malformed")
    public static let tokenUnknown = EpitopeError.Code("token-unknown")
    public static let tokenUsed = EpitopeError.Code("token-used")
    public static let tokenExpired = EpitopeError.Code("token-expired")
    /// The center's certificates don't hold the authority that the token pins.
    public static let authorityMismatch = EpitopeError.Code("authority-mismatch")
    public static let identityMissing = EpitopeError.Code("identity-missing")
    public static let identityMalformed = EpitopeError.Code("identity-malformed")

    // Talking to a center.
    public static let centerUnreachable = EpitopeError.Code("center-unreachable")
    /// What answers is not the center: its name or its authority differs, or its certificate is out of date.
    public static let centerWrong = EpitopeError.Code("center-wrong")
    /// What answers speaks no language of ours: no receipt, no error body.
    public static let answerMalformed = EpitopeError.Code("answer-malformed")
    public static let addressMalformed = EpitopeError.Code("center-address-malformed")

    // A center's refusals.
    public static let certificateRequired = EpitopeError.Code("certificate-required")
    public static let revoked = EpitopeError.Code("revoked")
    public static let roleNotAllowed = EpitopeError.Code("role-not-allowed")
    public static let identityMismatch = EpitopeError.Code("identity-mismatch")
    public static let requestMalformed = EpitopeError.Code("request-malformed")
    public static let requestTooLarge = EpitopeError.Code("request-too-large")
    public static let notServedHere = EpitopeError.Code("not-served-here")
    public static let internalFailure = EpitopeError.Code("internal")
}
