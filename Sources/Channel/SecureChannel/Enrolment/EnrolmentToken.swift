// SPDX-License-Identifier: Apache-2.0

import Crypto
public import EpitopeModel
import FoundationEssentials

/// An enrolment token, for one identity and one use or for several hosts: one line of text that a person copies from a center to a host.
///
/// It holds a secret that the center knows only the hash of, and the fingerprint of the center's authority, so that
/// the host trusts the right center before it has any certificate. The text is `ept1_` followed by base64url of the
/// secret (16 bytes), the fingerprint (32 bytes) and a checksum (4 bytes) that finds typing errors without a network.
public struct EnrolmentToken: Hashable, Sendable, CustomStringConvertible {
    /// 16 bytes from the system's random number generator: too many to guess.
    public let secret: [UInt8]
    /// SHA-256 of the authority's certificate, as DER.
    public let authorityFingerprint: [UInt8]

    /// The default time for which a token can be redeemed: 24 hours, in milliseconds.
    public static let defaultLifetimeMilliseconds: Int64 = Duration.days(1).inMilliseconds

    static let prefix = "ept1_"
    static let secretLength = 16
    static let fingerprintLength = 32
    static let checksumLength = 4

    /// Makes a token with a new secret.
    public init(authorityFingerprint: [UInt8]) {
        var generator = SystemRandomNumberGenerator()
        self.secret = (0..<Self.secretLength).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        self.authorityFingerprint = authorityFingerprint
    }

    /// Reads a token's text. White space around it is ignored.
    ///
    /// - Throws: ``EpitopeError/Code/tokenMalformed``.
    public init(_ text: some StringProtocol) throws(EpitopeError) {
        let line = text.split(whereSeparator: \.isWhitespace)
        let payload = Self.secretLength + Self.fingerprintLength
        guard line.count == 1, line[0].hasPrefix(Self.prefix),
            let bytes = Base64URL.decode(line[0].dropFirst(Self.prefix.count)),
            bytes.count == payload + Self.checksumLength,
            Self.checksum(bytes.prefix(payload)) == Array(bytes.suffix(Self.checksumLength))
        else {
            throw EpitopeError(
                .tokenMalformed, "the enrolment token is incomplete or mistyped",
                remedy: "copy the whole token again as the center printed it; it starts with \(Self.prefix)")
        }
        self.secret = Array(bytes[..<Self.secretLength])
        self.authorityFingerprint = Array(bytes[Self.secretLength..<payload])
    }

    /// SHA-256 of the secret, which the center's ledger stores instead of the secret.
    public var secretHash: [UInt8] {
        Array(SHA256.hash(data: secret))
    }

    /// The token's text. Whoever has it can enrol: show it once, and never log it.
    public var description: String {
        let payload = secret + authorityFingerprint
        return Self.prefix + Base64URL.encode(payload + Self.checksum(payload))
    }

    private static func checksum(_ payload: some Sequence<UInt8>) -> [UInt8] {
        Array(SHA256.hash(data: Array(prefix.utf8) + Array(payload)).prefix(checksumLength))
    }
}

/// Base64 in the alphabet that is safe in URLs and shells, without padding (RFC 4648, section 5).
enum Base64URL {
    static func encode(_ bytes: [UInt8]) -> String {
        String(
            Data(bytes).base64EncodedString().compactMap { character in
                switch character {
                case "+": "-"
                case "/": "_"
                case "=": nil
                default: character
                }
            })
    }

    /// `nil` for any character outside of the alphabet, padding included.
    static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var standard = ""
        for character in text {
            switch character {
            case "-": standard.append("+")
            case "_": standard.append("/")
            case "a"..."z", "A"..."Z", "0"..."9":
                guard character.isASCII else { return nil }
                standard.append(character)
            default: return nil
            }
        }
        standard += String(repeating: "=", count: (4 - standard.count % 4) % 4)
        guard let bytes = Data(base64Encoded: standard).map(Array.init) else { return nil }
        // The last character's unused bits must be zero: one token has one text.
        return encode(bytes) == String(text) ? bytes : nil
    }
}
