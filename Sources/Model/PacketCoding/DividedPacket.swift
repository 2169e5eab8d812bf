// SPDX-License-Identifier: Apache-2.0

/// A packet's wire form with the bytes of its code taken out of it: many hosts report the same code, each with a frame of its
/// own around it.
///
/// Joined again it is the same wire form to the byte, fields that this version does not know included.
public struct DividedPacket: Hashable, Sendable {
    /// The wire form without the code's bytes. It can't be decoded by itself.
    public let frame: [UInt8]
    /// Where in the frame the code's bytes belong: from 0 to the frame's length.
    public let place: Int
    /// The code's bytes.
    public let code: [UInt8]

    /// Shorter code stays within its packet: a row of its own takes as much room.
    public static let minCodeBytes = 128

    /// Divides a packet's wire form.
    ///
    /// - Returns: `nil` where there is nothing to take out: the packet has no code or a short one, or one that another encoder
    ///   wrote in pieces.
    public init?(_ bytes: [UInt8]) {
        self.init(bytes, packet: 0..<bytes.count)
    }

    /// Divides the wire form of a packet that a site forwards, likewise.
    public init?(forward bytes: [UInt8]) {
        guard let packet = WireFields.only(Self.packetField, in: bytes, 0..<bytes.count) else { return nil }
        self.init(bytes, packet: packet)
    }

    private init?(_ bytes: [UInt8], packet: Range<Int>) {
        guard let message = WireFields.only(Self.codeField, in: bytes, packet),
            let code = WireFields.only(Self.bytesField, in: bytes, message), code.count >= Self.minCodeBytes
        else { return nil }
        self.frame = Array(bytes[..<code.lowerBound]) + bytes[code.upperBound...]
        self.place = code.lowerBound
        self.code = Array(bytes[code])
    }

    /// The wire form of a frame with code in it.
    ///
    /// - Returns: `nil` where the place is not in the frame. What is returned need not be a packet: it is checked as one that
    ///   came in.
    public static func join(frame: [UInt8], place: Int, code: [UInt8]) -> [UInt8]? {
        guard (0...frame.count).contains(place) else { return nil }
        return Array(frame[..<place]) + code + frame[place...]
    }

    /// `ForwardedPacket.packet` in the schema.
    private static let packetField: UInt64 = 1
    /// `ExtractedPacket.code` and `Code.bytes` in the schema.
    private static let codeField: UInt64 = 5
    private static let bytesField: UInt64 = 2
}

/// The fields of an encoded message, as far as places in it are asked for (protobuf's "Encoding").
enum WireFields {
    /// Where the content of the one field of that number lies.
    ///
    /// - Parameter number: of a field with a length.
    /// - Returns: `nil` where there is none, or more than one, or the message is damaged.
    static func only(_ number: UInt64, in bytes: [UInt8], _ range: Range<Int>) -> Range<Int>? {
        var found: Range<Int>?
        var place = range.lowerBound
        while place < range.upperBound {
            guard let tag = varint(in: bytes, &place, to: range.upperBound) else { return nil }
            let length: UInt64
            switch tag & 7 {
            case 0:
                guard varint(in: bytes, &place, to: range.upperBound) != nil else { return nil }
                length = 0
            case 1: length = 8
            case 2:
                guard let count = varint(in: bytes, &place, to: range.upperBound) else { return nil }
                length = count
            case 5: length = 4
            default: return nil
            }
            guard length <= UInt64(range.upperBound - place) else { return nil }
            if tag >> 3 == number {
                guard found == nil, tag & 7 == 2 else { return nil }
                found = place..<(place + Int(length))
            }
            place += Int(length)
        }
        return found
    }

    private static func varint(in bytes: [UInt8], _ place: inout Int, to end: Int) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: 0, to: 64, by: 7) {
            guard place < end else { return nil }
            let byte = bytes[place]
            place += 1
            value |= UInt64(byte & 0x7f) << UInt64(shift)
            if byte < 0x80 { return value }
        }
        return nil
    }
}
