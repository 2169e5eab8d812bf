// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import EpitopeModel
import Glibc
import NIOCore
import NIOPosix
import NIOSSL

/// Errors of the network stack as a person's errors: none of the stack's own text is shown.
enum ChannelFailure {
    /// An error of the network stack: the center did not answer (`center-unreachable`), or another server did
    /// (`center-wrong`, `answer-malformed`).
    ///
    /// - Parameter proxy: on the way to the center.
    static func error(for error: any Error, center: CenterAddress, by proxy: CenterProxy? = nil) -> EpitopeError {
        if let error = error as? EpitopeError { return error }
        if isWrongPeer(error) {
            return EpitopeError(
                .centerWrong, "the server at \(center) is not the center that this machine is enrolled at",
                remedy:
                    "check the address; if it is right, the center has another authority now (enrol again), its certificate is not for that "
                    + "address (`renew` at the center), or the connection is intercepted")
        }
        if error is NIOTooManyBytesError { return malformedAnswer(of: center) }
        return EpitopeError(
            .centerUnreachable,
            "the center at \(center) can't be reached\(proxy.map { " by the \($0.kind) at \($0.name)" } ?? ""): \(reason(error))",
            remedy: "check that it runs, its address, and the network and firewalls in between; packets that wait are kept")
    }

    /// Reads the body of an answer that is not a success.
    ///
    /// - Parameter retryAfter: the header of that name. Only its form in seconds is used here; a longer time than an hour is cut.
    static func refusal(_ body: [UInt8], retryAfter: String?, of center: CenterAddress) -> EpitopeError {
        var error = (try? ChannelJSON.decode(Refusal.self, from: body))?.error ?? malformedAnswer(of: center)
        error.retryAfterSeconds = retryAfter.flatMap { Int($0) }.flatMap { $0 > 0 ? min($0, maxRetryAfterSeconds) : nil }
        return error
    }

    private static let maxRetryAfterSeconds = 3600

    static func malformedAnswer(of center: CenterAddress) -> EpitopeError {
        EpitopeError(
            .answerMalformed, "the server at \(center) does not answer as a center does",
            remedy: "check the address; update the center and this machine to the same version of epitope")
    }

    /// Whether a handshake failed because of a certificate. A handshake that the other side merely cut short doesn't count: a
    /// center that is stopping does that.
    static func isWrongPeer(_ error: any Error) -> Bool {
        if error is NIOSSLExtraError { return true }
        guard case .handshakeFailed(let cause) = error as? NIOSSLError else {
            switch error as? NIOSSLError {
            case .unableToValidateCertificate, .noCertificateToValidate: return true
            default: return false
            }
        }
        guard case .sslError(let stack) = cause else { return false }
        return !stack.contains(.eofDuringHandshake)
    }

    private static let timeouts: [HTTPClientError] = [
        .connectTimeout, .readTimeout, .writeTimeout, .tlsHandshakeTimeout, .deadlineExceeded, .getConnectionFromPoolTimeout,
    ]

    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            if let attempt = error.connectionErrors.first { return reason(attempt.error) }
            return "the name \(error.host) cannot be resolved"
        case let error as IOError: return String(cString: strerror(error.errnoCode)).lowercased()
        case let error as HTTPClientError where timeouts.contains(error): return "it did not answer in time"
        case let error as HTTPClientError: return error.shortDescription.lowercased()
        case ChannelError.connectTimeout: return "it did not answer in time"
        case let error as ProxyTunnel.Refusal: return error.description
        case is NIOSSLError, is BoringSSLError: return "the TLS handshake failed"
        default: return "it closed the connection"
        }
    }
}
