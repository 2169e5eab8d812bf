// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import FoundationEssentials

extension ExtractedPacket {
    /// The packet for people: readable names, bytes as hexadecimal digits, addresses as `0x…`, the time as ISO 8601 beside
    /// the milliseconds. Keys are sorted; unknown values have no key.
    public func json(pretty: Bool = true) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting =
            pretty ? [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted] : [.sortedKeys, .withoutEscapingSlashes]
        // The document holds texts, whole numbers and Booleans only, which always encode.
        guard let data = try? encoder.encode(PacketDocument(self)) else { return "{}" }
        return String(decoding: data, as: UTF8.self)
    }

    /// Reads a packet back from its JSON, under the same bounds as one from the wire.
    ///
    /// - Throws: as for a packet from the wire.
    public init(json: String) throws(EpitopeError) {
        // A byte takes two digits, and keys some more: a valid packet never reaches four times the binary bound.
        guard json.utf8.count <= 4 * Self.maxEncodedBytes else {
            throw .tooLarge("packet's JSON", bytes: json.utf8.count, max: 4 * Self.maxEncodedBytes)
        }
        let document: PacketDocument
        do {
            document = try JSONDecoder().decode(PacketDocument.self, from: Data(json.utf8))
        } catch let error as DecodingError {
            throw .malformed("the packet's JSON", error.place)
        } catch {
            throw .malformed("the packet's JSON", "cannot be read")
        }
        guard (1...Self.currentVersion).contains(document.version) else {
            throw .unknownVersion("packet", document.version, latest: Self.currentVersion)
        }
        // The checks are in the wire format's reader alone.
        try self.init(try document.packet().wire)
    }
}

extension DecodingError {
    /// The place of the error in the document.
    fileprivate var place: String {
        let context: Context
        switch self {
        case .typeMismatch(_, let found), .valueNotFound(_, let found), .keyNotFound(_, let found), .dataCorrupted(let found):
            context = found
        @unknown default: return "cannot be read"
        }
        let path = context.codingPath.map(\.stringValue).joined(separator: ".")
        return path.isEmpty ? "cannot be read" : "cannot be read at \(path.clipped(to: Bounds.detail))"
    }
}

/// An address as people write it.
struct Address: Codable {
    var value: UInt64

    init(_ value: UInt64) {
        self.value = value
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard text.hasPrefix("0x"), !text.hasPrefix("0x+"), !text.hasPrefix("0x-"),
            let value = UInt64(text.dropFirst(2), radix: 16)
        else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not an address of the form 0x1f")
        }
        self.value = value
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode("0x" + String(value, radix: 16))
    }
}

/// Bytes as hexadecimal digits.
struct HexBytes: Codable {
    var bytes: [UInt8]

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let bytes = Hex.decode(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not hexadecimal digits")
        }
        self.bytes = bytes
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(Hex.encode(bytes))
    }
}
