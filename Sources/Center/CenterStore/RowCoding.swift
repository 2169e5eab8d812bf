// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FoundationEssentials
import GRDB
import PacketCoding
import Rendering
import Signatures

extension Row {
    /// A rule's number in the column `sid`; `nil` also for one that no rule can have: a damaged record must not end the program.
    var sid: UInt32? { (self["sid"] as Int64?).flatMap { UInt32(exactly: $0) }.flatMap { SIDRange.all.contains($0) ? $0 : nil } }
}

/// Encodes values for the store's columns: packets in their wire form, the center's own values as JSON.
enum RowCoding {
    static func encode(_ packet: ExtractedPacket) -> Data {
        Data(packet.encoded())
    }

    static func json(_ value: some Encodable) throws(EpitopeError) -> String {
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            return String(decoding: try encoder.encode(value), as: UTF8.self)
        } catch {
            throw damaged("cannot be written: \(error)")
        }
    }

    static func value<Value: Decodable>(_ type: Value.Type, _ json: String) throws(EpitopeError) -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(json.utf8))
        } catch {
            throw damaged("cannot be read: \(error)")
        }
    }

    private static func damaged(_ what: String) -> EpitopeError {
        EpitopeError(
            .storeUnusable, "an entry of the store \(what)",
            remedy: "use the version of the program that wrote the store, or a newer one")
    }
}
