// SPDX-License-Identifier: Apache-2.0

import Foundation

/// What JSON is about, by the keys at its top: for errors that say more than "it is not a packet".
struct JSONContent {
    /// For people: `signatures`; `nil` if it may be a packet, or can't be told.
    let description: String?
    /// Whether it is JSON at all, and an object or a list of objects: no code is.
    let isObject: Bool

    private struct Keys: Decodable {
        let type: String?
        let names: Set<String>

        private struct Name: CodingKey {
            var stringValue: String
            var intValue: Int? { nil }

            init(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: Name.self)
            names = Set(values.allKeys.map(\.stringValue))
            type = try? values.decode(String.self, forKey: Name(stringValue: "type"))
        }
    }

    init(_ bytes: [UInt8]) {
        let decoder = JSONDecoder()
        let data = Data(bytes)
        let keys = (try? decoder.decode(Keys.self, from: data)) ?? (try? decoder.decode([Keys].self, from: data))?.first
        isObject = keys != nil
        description =
            switch keys {
            case nil: nil
            case let keys? where keys.type == "bundle" || keys.type == "indicator": "STIX"
            case let keys? where keys.names.contains("candidates") && keys.names.contains("proofs"): "what epitope extract found"
            case let keys? where keys.names.contains("tokens"): "a signature"
            case let keys? where keys.names.contains("signature") && keys.names.contains("proof"): "signature updates"
            case let keys? where keys.names.contains("callersAddress"): nil
            case let keys? where keys.names.contains("signature"): "signatures"
            default: "something else"
            }
    }
}
