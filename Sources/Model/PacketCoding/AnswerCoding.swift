// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension Receipt {
    /// Reads a receipt.
    ///
    /// - Throws: `packet-too-large`, `packet-malformed`.
    public init(encoded: [UInt8]) throws(EpitopeError) {
        let wire = try Wire.decode(Epitope_V1_Receipt.self, encoded, name: "receipt", max: Bounds.receiptEncoding)
        self.init(
            id: try Wire.hex(wire.id, "receipt.id", digits: 32),
            storedMilliseconds: try Wire.milliseconds(wire.storedMilliseconds, "receipt.stored_milliseconds"),
            wasKnown: wire.wasKnown)
    }

    /// As it goes over the wire.
    public func encoded() -> [UInt8] {
        var wire = Epitope_V1_Receipt()
        wire.id = id
        wire.storedMilliseconds = storedMilliseconds
        wire.wasKnown = wasKnown
        return Wire.encode(wire)
    }
}

extension EpitopeError {
    /// Reads the body of an answer that is not a success: the error as the other side met it.
    ///
    /// - Throws: `packet-too-large`, `packet-malformed`: then the answer does not come from a center.
    public init(encoded: [UInt8]) throws(EpitopeError) {
        let wire = try Wire.decode(Epitope_V1_ErrorBody.self, encoded, name: "error body", max: Bounds.errorEncoding)
        guard (1...64).contains(wire.code.utf8.count), wire.code.utf8.allSatisfy(Self.isCodeCharacter) else {
            throw .malformed("error.code", "is not 1 to 64 lower-case letters, digits and hyphens")
        }
        self.init(
            Code(wire.code), try Wire.text(wire.message, "error.message", max: Bounds.path),
            remedy: try Wire.text(wire.remedy, "error.remedy", max: Bounds.path))
    }

    /// The error as the body of an answer; its texts are clipped to 4096 bytes each.
    public func encoded() -> [UInt8] {
        var wire = Epitope_V1_ErrorBody()
        wire.code = code.rawValue
        wire.message = message.clipped(to: Bounds.path)
        wire.remedy = remedy.clipped(to: Bounds.path)
        return Wire.encode(wire)
    }

    private static func isCodeCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"): true
        default: false
        }
    }
}
