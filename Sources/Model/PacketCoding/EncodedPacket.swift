// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// A packet in its wire form, ready to be stored and sent. A host encodes a packet once: what goes into the spool is
/// what goes to the center.
public struct EncodedPacket: Hashable, Sendable {
    /// The packet's ``EpitopeModel/ExtractedPacket/id``.
    public let id: String
    /// At most ``EpitopeModel/ExtractedPacket/maxEncodedBytes`` bytes.
    public let bytes: [UInt8]

    /// Encodes a packet; see ``EpitopeModel/ExtractedPacket/encoded()`` for what is clipped.
    public init(_ packet: ExtractedPacket) {
        id = packet.id
        bytes = packet.encoded()
    }

    /// A packet that was encoded before, as a spool holds it. Nothing is checked here: the center that receives the
    /// packet checks it.
    public init(id: String, bytes: [UInt8]) {
        self.id = id
        self.bytes = bytes
    }
}

/// A packet as a center received it: decoded and checked once, where it comes in, and kept together with the bytes that
/// came in, which are what the center stores.
public struct ReceivedPacket: Hashable, Sendable {
    /// What the bytes say, within the bounds of the schema. Code holds the caller's address, so its caller window can be
    /// cut out.
    public let value: ExtractedPacket
    /// The packet's wire form as it came in, fields of later versions of the schema included.
    public let bytes: [UInt8]
    /// The address that the sender's connection came from, which no packet says: behind address translation or a proxy, theirs.
    /// `nil` if it isn't known.
    public var source: IPAddress?

    /// Decodes and checks a packet.
    ///
    /// - Throws: as for ``EpitopeModel/ExtractedPacket/init(encoded:)``.
    public init(encoded bytes: [UInt8]) throws(EpitopeError) {
        value = try ExtractedPacket(encoded: bytes)
        self.bytes = bytes
    }
}
