// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

extension EpitopeError {
    static func malformed(_ field: String, _ problem: String) -> EpitopeError {
        EpitopeError(
            .packetMalformed, "\(field) \(problem)",
            remedy: "encode it as Protocol/epitope.proto specifies; a sender of the same version never sends such a message")
    }

    static func tooLarge(_ message: String, bytes: Int, max: Int) -> EpitopeError {
        EpitopeError(
            .packetTooLarge, "the \(message) has \(bytes) bytes, at most \(max) are allowed",
            remedy: "send less: code of at most 8 KiB, parameters within the bounds of the schema")
    }

    static func unknownVersion(_ message: String, _ version: UInt32, latest: UInt32) -> EpitopeError {
        EpitopeError(
            .packetVersionUnknown, "the \(message) has version \(version); this program reads 1 to \(latest)",
            remedy: "update the older of the two sides")
    }
}
