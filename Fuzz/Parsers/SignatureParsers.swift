// SPDX-License-Identifier: Apache-2.0

import Foundation
import PacketCoding
import Signatures

extension FuzzParser {
    /// Signatures in their wire format, and all operations on them.
    static let signature = FuzzParser(
        name: "signature", what: "signatures on the wire: matched, merged, rendered, sought",
        seeds: { _ in SignatureSeeds.signatures.map { $0.encoded() } },
        run: { input, _ in
            let signature = try Signature(encoded: input)
            guard try Signature(encoded: signature.encoded()) == signature else { broken("a signature is another after the wire") }
            try SignatureUse.exercise(signature)
        })

    /// Signatures as JSON.
    static let signatureJSON = FuzzParser(
        name: "signature-json", what: "signatures as JSON: matched, merged, rendered, sought", dictionary: JSONWords.all,
        seeds: { _ in try SignatureSeeds.signatures.map { try SignatureSeeds.json($0) } },
        run: { input, _ in
            let signature = try JSONDecoder().decode(Signature.self, from: Data(input))
            let again = try JSONDecoder().decode(Signature.self, from: try JSONEncoder().encode(signature))
            guard again == signature else { broken("a signature is another after JSON") }
            try SignatureUse.exercise(signature)
        })
}
