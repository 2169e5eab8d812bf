// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension EpitopeError.Code {
    /// A receiver of notices did not answer, or the connection broke.
    public static let destinationUnreachable = EpitopeError.Code("destination-unreachable")
    /// A receiver of notices took too long.
    public static let destinationTimeout = EpitopeError.Code("destination-timeout")
    /// A receiver of notices showed a certificate that is not trusted, or could not agree on TLS.
    public static let destinationUntrusted = EpitopeError.Code("destination-untrusted")
    /// A receiver of notices did not take one now.
    public static let destinationRefused = EpitopeError.Code("destination-refused")
    /// A receiver of notices will never take this one.
    public static let noticeRefused = EpitopeError.Code("notice-refused")
    /// A notice's record in the store can't be read.
    public static let noticeDamaged = EpitopeError.Code("notice-damaged")
    /// A file that notices are written to can't be written.
    public static let noticeFileFailed = EpitopeError.Code("notice-file-failed")
    /// A secret's file can't be read, others could read it, or it doesn't hold what it should.
    public static let secretUnusable = EpitopeError.Code("secret-unusable")
    /// libcurl, which sends mail, is not installed.
    public static let libcurlMissing = EpitopeError.Code("libcurl-missing")
    /// The settings name no such destination of notices.
    public static let destinationUnknown = EpitopeError.Code("destination-unknown")
}

/// What a destination's failures are, in words that hold none of its secrets.
enum DeliveryFailure {
    static func unreachable(_ place: String, _ why: String) -> EpitopeError {
        EpitopeError(
            .destinationUnreachable, "\(place) can't be reached: \(why)",
            remedy: "see that it runs, that its address is right, and that no firewall stands between; it is tried again")
    }

    static func timeout(_ place: String, _ seconds: Int) -> EpitopeError {
        EpitopeError(
            .destinationTimeout, "\(place) did not answer within \(seconds) seconds",
            remedy: "see what keeps it, or raise timeoutSeconds; it is tried again")
    }

    static func untrusted(_ place: String, _ why: String) -> EpitopeError {
        EpitopeError(
            .destinationUntrusted, "TLS with \(place) failed: \(why)",
            remedy: "see that its certificate is valid and names it, and set authorityFile if its authority is not one of the system's")
    }

    static func refused(_ place: String, _ what: String, retryAfterSeconds: Int? = nil) -> EpitopeError {
        EpitopeError(
            .destinationRefused, "\(place) did not take it: \(what)",
            remedy: "see its own log, its address and its credentials here; it is tried again", retryAfterSeconds: retryAfterSeconds)
    }

    static func noticeRefused(_ place: String, _ what: String) -> EpitopeError {
        EpitopeError(
            .noticeRefused, "\(place) will not take this notice: \(what)",
            remedy: "see that it expects this kind and format; the notice is dropped, and the next one is sent")
    }
}
