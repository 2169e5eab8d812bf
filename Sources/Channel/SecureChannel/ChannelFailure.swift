// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import EpitopeModel
import NIOCore
import NIOSSL

/// What went wrong on the way to a center, in a person's words.
enum ChannelFailure {
    /// Sorts an error of the network stack: either nobody answered, or somebody else did.
    static func error(for error: any Error, center: CenterAddress) -> EpitopeError {
        if let error = error as? EpitopeError { return error }
        if isWrongPeer(error) {
            return EpitopeError(
                .centerWrong, "what answers at \(center) is not the center that this machine is enrolled at",
                remedy: "check the address, the names that the center was given at init, and its certificate's dates")
        }
        if error is NIOTooManyBytesError { return malformedAnswer(of: center) }
        return EpitopeError(
            .centerUnreachable, "the center at \(center) can't be reached: \(reason(error))",
            remedy: "check that it runs, the address, and the network and firewalls between; what waits is kept")
    }

    /// Reads the body of an answer that is not a success.
    static func refusal(_ body: [UInt8], of center: CenterAddress) -> EpitopeError {
        guard let refusal = try? ChannelJSON.decode(Refusal.self, from: body) else {
            return malformedAnswer(of: center)
        }
        return refusal.error
    }

    static func malformedAnswer(of center: CenterAddress) -> EpitopeError {
        EpitopeError(
            .answerMalformed, "what answers at \(center) does not speak as a center does",
            remedy: "check the address; update the center and this machine to the same version of epitope")
    }

    /// A handshake that fails over certificates. A handshake that the other side merely cut short doesn't count:
    /// a center that is stopping does that.
    private static func isWrongPeer(_ error: any Error) -> Bool {
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

    private static func reason(_ error: any Error) -> String {
        if let error = error as? HTTPClientError { return error.shortDescription }
        return String(String(describing: error).prefix(200))
    }
}
