// SPDX-License-Identifier: Apache-2.0

import Foundation
import Rendering
import Signatures

/// The same signatures in the form of each engine that seeks them in files.
struct RuleFiles {
    let json: String
    let yara: String
    let ndb: String

    init(_ signatures: [Signature], in folder: URL) throws {
        (json, yara, ndb) = (
            folder.appendingPathComponent("rules.json").path, folder.appendingPathComponent("rules.yara").path,
            folder.appendingPathComponent("rules.ndb").path
        )
        try JSONEncoder().encode(signatures).write(to: URL(fileURLWithPath: json))
        for (path, language) in [(yara, RuleLanguage.yara), (ndb, .clamavNDB)] {
            let rules = try signatures.enumerated().map { index, signature in
                try language.rendering.render(
                    RuleInput(signature: signature, sid: 3_900_000 + UInt32(index), createdMilliseconds: 0))
            }
            try Data((rules.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: path))
        }
    }
}
