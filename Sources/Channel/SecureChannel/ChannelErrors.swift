// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

// The codes of certificates, enrolment and connections that only the secure channel and the command line meet. Those that
// decide whether a message is sent again are in EpitopeModel (CenterErrors.swift).
extension EpitopeError.Code {
    // The authority and its files.
    /// A folder has no authority, or no server certificate of the center.
    public static let authorityMissing = EpitopeError.Code("authority-missing")
    /// An authority was to be made where there is one already.
    public static let authorityExists = EpitopeError.Code("authority-exists")
    /// An authority is said to follow the one that is trusted, and that one's signature doesn't say so.
    public static let successorUnproven = EpitopeError.Code("successor-unproven")
    /// The name of a site, a host or a server breaks the rules for names.
    public static let nameInvalid = EpitopeError.Code("name-invalid")
    /// A file of the authority or of an identity cannot be read or written.
    public static let stateUnwritable = EpitopeError.Code("state-unwritable")

    // Enrolment.
    /// The text of a token was not copied whole.
    public static let tokenMalformed = EpitopeError.Code("token-malformed")
    /// The center has not given out this token.
    public static let tokenUnknown = EpitopeError.Code("token-unknown")
    /// The token was taken back: whom it was made for was revoked since.
    public static let tokenRevoked = EpitopeError.Code("token-revoked")
    /// The token was redeemed before.
    public static let tokenUsed = EpitopeError.Code("token-used")
    /// The token was not redeemed in time.
    public static let tokenExpired = EpitopeError.Code("token-expired")
    /// The token was made for a host, and a local center uses it, or the other way round. It is not used up.
    public static let tokenOfAnotherRole = EpitopeError.Code("token-of-another-role")
    /// The token is for hosts of other names.
    public static let tokenOfAnotherName = EpitopeError.Code("token-of-another-name")
    /// The token is for hosts of another network.
    public static let tokenOfAnotherNetwork = EpitopeError.Code("token-of-another-network")
    /// The token is for new hosts, and the center knows one of that name.
    public static let nameTaken = EpitopeError.Code("name-taken")
    /// A host or a site enrols at a local center as at a global one, or the other way round. The token is not used up.
    public static let centerOfAnotherKind = EpitopeError.Code("center-of-another-kind")
    /// The center's certificates don't hold the authority that the token pins.
    public static let authorityMismatch = EpitopeError.Code("authority-mismatch")

    // A center's store, as far as it decides what a request is answered with.
    /// The store could not read or write; the operation did not happen.
    public static let storeFailed = EpitopeError.Code("store-failed")
    /// Too many messages are waiting to be stored.
    public static let storeBusy = EpitopeError.Code("store-busy")
    /// Too many messages of one sender are waiting to be stored.
    public static let senderBusy = EpitopeError.Code("sender-busy")

    // Connections.
    /// The process that has the authority's key does not answer: no certificate can be issued now.
    public static let keyUnavailable = EpitopeError.Code("key-unavailable")
    /// What answers at the center's address is not the center: another authority issued its certificate, or that is a host's, or for
    /// other names and addresses.
    public static let centerWrong = EpitopeError.Code("center-wrong")
    /// The center's certificate is out of date by this machine's clock.
    public static let centerOutOfDate = EpitopeError.Code("center-out-of-date")
    /// A center's address is not an `https` URL of host and port.
    public static let addressMalformed = EpitopeError.Code("center-address-malformed")
    /// The environment names a proxy in a form that can't be read.
    public static let proxyMalformed = EpitopeError.Code("proxy-malformed")
    /// What was given as a relay's address is none.
    public static let relayMalformed = EpitopeError.Code("relay-malformed")
    /// An error that should not happen; a center's log has the details.
    public static let internalFailure = EpitopeError.Code("internal")
}
