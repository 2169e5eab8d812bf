// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore
import PacketCoding
import SecureChannel

/// Answers as they go out.
enum HTTPResponses {
    static func protobuf(_ bytes: [UInt8]) -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/x-protobuf"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    static func json(_ message: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        Response(
            status: status, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: try ChannelJSON.encode(message))))
    }

    static func refusal(_ error: EpitopeError) -> Response {
        // Three strings always encode; were it not so, the status alone still refuses.
        (try? json(Refusal(error), status: status(of: error.code))) ?? Response(status: .internalServerError)
    }

    /// The status is for proxies and people with curl; programs go by the code.
    private static func status(of code: EpitopeError.Code) -> HTTPResponse.Status {
        switch code {
        case .certificateRequired, .certificateForeign, .certificateExpired, .certificateMalformed: .unauthorized
        case .revoked, .roleNotAllowed, .identityMismatch, .tokenUnknown, .tokenUsed, .tokenExpired: .forbidden
        case .packetTooLarge, .requestTooLarge: .contentTooLarge
        case .notServedHere: .notFound
        case .internalFailure: .internalServerError
        default: .badRequest
        }
    }
}
