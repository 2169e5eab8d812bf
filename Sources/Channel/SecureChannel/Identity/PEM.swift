// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import SwiftASN1
import X509

/// Certificates and keys as PEM text, with the channel's own error codes.
enum PEM {
    /// - Parameter place: what the text was read from, for the error's message.
    static func certificate(_ text: String, from place: String) throws(EpitopeError) -> Certificate {
        do {
            return try Certificate(pemEncoded: text)
        } catch {
            throw EpitopeError(
                .certificateMalformed, "the certificate in \(place) cannot be read",
                remedy: "restore the file from a backup, or enrol again")
        }
    }

    static func key(_ text: String, from place: String) throws(EpitopeError) -> Certificate.PrivateKey {
        do {
            return try Certificate.PrivateKey(pemEncoded: text)
        } catch {
            throw unreadableKey(in: place)
        }
    }

    static func unreadableKey(in place: String) -> EpitopeError {
        EpitopeError(
            .keyMalformed, "the private key in \(place) cannot be read",
            remedy: "restore the file from a backup, or enrol again")
    }

    static func text(_ certificate: Certificate) throws -> String {
        try certificate.serializeAsPEM().pemString + "\n"
    }

    static func text(_ key: Certificate.PrivateKey) throws -> String {
        try key.serializeAsPEM().pemString + "\n"
    }

    static func der(_ certificate: Certificate) throws -> [UInt8] {
        var serializer = DER.Serializer()
        try serializer.serialize(certificate)
        return serializer.serializedBytes
    }
}
