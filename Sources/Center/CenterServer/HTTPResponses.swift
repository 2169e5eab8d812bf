// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore
import PacketCoding
import SecureChannel

/// A center's HTTP responses.
enum HTTPResponses {
    static func protobuf(_ bytes: [UInt8]) -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/x-protobuf"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    static func bytes(_ bytes: [UInt8]) -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/octet-stream"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    static func text(_ text: String) -> Response {
        Response(
            status: .ok, headers: [.contentType: "text/plain; charset=utf-8"], body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    static func json(_ message: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: try ChannelJSON.encode(message))))
    }

    static func refusal(_ error: EpitopeError) -> Response {
        // Three strings always encode. If they did not, the status alone would still refuse.
        var response = (try? json(Refusal(error), status: status(of: error.code))) ?? Response(status: .internalServerError)
        if response.status == .serviceUnavailable || response.status == .tooManyRequests {
            response.headers[.retryAfter] = "\(error.retryAfterSeconds ?? defaultRetryAfterSeconds)"
        }
        return response
    }

    private static let defaultRetryAfterSeconds = 5

    /// Whether the sender is to come again with the same message.
    static func isDeferral(_ code: EpitopeError.Code) -> Bool { [.serviceUnavailable, .tooManyRequests].contains(status(of: code)) }

    /// The status is for proxies and for people with curl; programs use the error's code.
    private static func status(of code: EpitopeError.Code) -> HTTPResponse.Status {
        switch code {
        case .certificateRequired, .certificateForeign, .certificateExpired, .certificateNotYetValid, .certificateMalformed: .unauthorized
        case .revoked, .roleNotAllowed, .identityMismatch, .tokenUnknown, .tokenRevoked, .tokenUsed, .tokenExpired: .forbidden
        case .packetTooLarge, .requestTooLarge: .contentTooLarge
        case .notServedHere, .agentUnknown: .notFound
        case .codeWanted: .conflict
        case .internalFailure: .internalServerError
        // The center can't take the message now: proxies and other clients keep it.
        case .storeBusy: .serviceUnavailable
        case _ where ServiceHealth.ownFailures.contains(code.rawValue): .serviceUnavailable
        case .senderBusy, .senderOverShare, .senderTooOften: .tooManyRequests
        default: .badRequest
        }
    }
}
