// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension EpitopeError.Code {
    /// A message is longer than its bound, and was not decoded.
    public static let packetTooLarge = EpitopeError.Code("packet-too-large")
    /// A message cannot be decoded, or a field of it is out of its bounds.
    public static let packetMalformed = EpitopeError.Code("packet-malformed")
    /// A message is of a version of the schema that this program does not know.
    public static let packetVersionUnknown = EpitopeError.Code("packet-version-unknown")
}

extension EpitopeError {
    static func malformed(_ field: String, _ problem: String) -> EpitopeError {
        EpitopeError(
            .packetMalformed, "\(field) \(problem)",
            remedy: "send it as Protocol/epitope.proto says; a sender of the same version never makes such a message")
    }

    static func tooLarge(_ message: String, bytes: Int, most: Int) -> EpitopeError {
        EpitopeError(
            .packetTooLarge, "the \(message) has \(bytes) bytes, at most \(most) are taken",
            remedy: "send less: code of at most 8 KiB, parameters within the bounds of the schema")
    }

    static func unknownVersion(_ message: String, _ version: UInt32, latest: UInt32) -> EpitopeError {
        EpitopeError(
            .packetVersionUnknown, "the \(message) is of version \(version), this program reads 1 to \(latest)",
            remedy: "update the older of the two sides")
    }
}
