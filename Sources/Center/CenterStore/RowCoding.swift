// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FoundationEssentials
import PacketCoding
import Signatures

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
