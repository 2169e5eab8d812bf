// SPDX-License-Identifier: Apache-2.0

import Signatures

/// The bounds of all messages, in bytes or elements. A reader refuses messages beyond them; a writer clips texts to them, so
/// that no valid packet is refused for its length.
///
/// They are chosen so that a packet with every field full still fits in `ExtractedPacket.maxEncodedBytes`.
enum Bounds {
    /// PATH_MAX of Linux.
    static let path = 4096
    /// Paths of ancestors: sixteen of them go into a packet.
    static let ancestorPath = 512
    /// Names of processes, users, packages, systems.
    static let name = 128
    /// Names of containers and pods: Kubernetes allows 253 bytes, and 63 for a namespace.
    static let containerName = 256
    /// An image's name with registry, tag and digest.
    static let image = 512
    /// Addresses of sockets: a Unix path has at most 108 bytes.
    static let address = 128
    /// Texts for people.
    static let detail = 512
    /// One argument of an exec-like call, and how many of them.
    static let argument = 256
    static let arguments = 32
    static let parents = 16
    /// Boot parameters that matter, and the length of each.
    static let bootParameters = 12
    static let bootParameter = 80
    /// Listening, and as many connected sockets.
    static let sockets = 32
    static let evidence = 16
    static let applications = 16
    /// A token sequence, and the bytes of all its tokens together.
    static let tokens = 256
    static let tokenBytes = Signature.maxBytes
    static let ports = SignatureContext.maxPorts
    static let contextParts = SignatureContext.maxParts
    static let checks = 64
    static let reasons = 16
    /// The last millisecond of the year 9999, the last that ISO 8601 writes with four digits.
    static let latestMilliseconds: Int64 = 253_402_300_799_999
    /// A hundred years.
    static let lifetimeDays = 36_500
    /// Encoded messages other than packets.
    static let receiptEncoding = 1024
    static let errorEncoding = 16384
    static let updateEncoding = 131_072
    static let forwardEncoding = 131_072
    static let updatesEncoding = 16_777_216
    static let updates = 4096
}

extension String {
    /// The text's longest prefix of at most `max` bytes of UTF-8 that ends with a whole character.
    func clipped(to max: Int) -> String {
        guard utf8.count > max else { return self }
        var end = utf8.index(startIndex, offsetBy: max)
        // Steps back to a boundary of scalars: three bytes at most.
        while end.samePosition(in: unicodeScalars) == nil { end = utf8.index(before: end) }
        return String(self[..<end])
    }
}
