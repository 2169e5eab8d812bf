// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import SecureChannel

extension EpitopeError.Code {
    /// The process that has the authority's key doesn't sign that: it lies beyond its bounds.
    public static let signingRefused = EpitopeError.Code("signing-refused")
    /// The process that has the authority's key has signed as much as it does in a minute or a day.
    public static let signingRationed = EpitopeError.Code("signing-rationed")
    /// The process that is to have the authority's key could not give up its rights, and so doesn't read the key.
    public static let keyNotConfined = EpitopeError.Code("key-not-confined")
    /// The socket on which the authority's key is asked for can't be made.
    public static let keySocketUnusable = EpitopeError.Code("key-socket-unusable")
}

enum KeyErrors {
    /// - Parameter seconds: when it may be there again.
    static func unavailable(_ why: String, retryAfterSeconds seconds: Int = 5) -> EpitopeError {
        EpitopeError(
            .keyUnavailable, "the center's key process does not answer (\(why)): no certificate can be issued now",
            remedy: "it is started again by itself, so try again soon; if it lasts, the log of the center's key process has the reason",
            retryAfterSeconds: seconds)
    }

    static func refused(_ why: String) -> EpitopeError {
        EpitopeError(
            .signingRefused, "the center's key process does not sign that: \(why)",
            remedy: "this is a fault of the center, or somebody else gives it orders: look at the logs of both")
    }

    static func rationed(_ what: String, retryAfterSeconds seconds: Int) -> EpitopeError {
        EpitopeError(
            .signingRationed, "the center's key process has signed \(what): the next is signed later",
            remedy: "try again later; if so many are right, raise the bound (`local-center key --max-per-day`)", retryAfterSeconds: seconds)
    }

    static func socket(_ path: String, _ why: String) -> EpitopeError {
        EpitopeError(
            .keySocketUnusable, "the socket \(path) can't be used: \(why)",
            remedy: "see that its folder exists, belongs to the user that runs epitope, and that nothing else has its name")
    }
}
