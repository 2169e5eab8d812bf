// SPDX-License-Identifier: Apache-2.0

/// The peer of a secure channel, as its certificate says.
public struct Identity: Hashable, Sendable, Codable {
    /// What the holder of a certificate may do at a center.
    public enum Role: String, Hashable, Sendable, Codable, CaseIterable {
        /// Sends extracted packets of its own.
        case host
        /// Forwards packets and signatures for its site, and subscribes to signature updates.
        case localCenter = "local-center"
        /// Receives; the role of a center's own server certificate.
        case center
    }

    public var role: Role
    /// Unique within the authority that issued the certificate: 1 to 64 characters out of `a-z A-Z 0-9 . _ -`.
    public var name: String

    public init(role: Role, name: String) {
        self.role = role
        self.name = name
    }

    /// Whether a text can be the ``name`` of an identity.
    public static func isValidName(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}
