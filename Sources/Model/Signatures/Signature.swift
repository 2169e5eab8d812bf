// SPDX-License-Identifier: Apache-2.0

import Crypto
import EpitopeModel

/// Identifies an attack on the wire: tokens with bounds on the gaps between them, and the traffic to search.
public struct Signature: Hashable, Sendable, Codable {
    /// How the tokens must be arranged in the data.
    public enum Arrangement: String, Hashable, Sendable, Codable, CaseIterable {
        /// In their order, without overlap, with distances within their gaps.
        case sequence
        /// All of them anywhere; gaps are ignored.
        case conjunction
    }

    /// At least one token.
    public var tokens: [Token]
    public var arrangement: Arrangement
    public var context: SignatureContext
    /// How the signature was made; `nil` if unknown. Not part of its identity.
    public var provenance: Provenance?

    public init(
        tokens: [Token], arrangement: Arrangement = .sequence, context: SignatureContext, provenance: Provenance? = nil
    ) {
        self.tokens = tokens
        self.arrangement = arrangement
        self.context = context
        self.provenance = provenance
    }

    /// The identity of the signature, whoever made it and however it was written: the first 16 bytes of SHA-256 over its
    /// ``canonical`` form, as hexadecimal digits. Context and provenance are not part of it, so that sites which saw the
    /// same code at different ports have the same signature.
    public var id: String {
        let canonical = canonical
        var hash = SHA256()
        if canonical.arrangement == .conjunction { hash.update(data: Array("conjunction:".utf8)) }
        for token in canonical.tokens {
            hash.update(data: Array("\(token.gap.map { "\($0.lowerBound)-\($0.upperBound)" } ?? "*"):".utf8))
            hash.update(data: Array("\(token.bytes.count):".utf8))
            hash.update(data: token.bytes)
            for position in token.masked { hash.update(data: Array("?\(position)".utf8)) }
        }
        return Hex.encode(hash.finalize().prefix(16))
    }

    /// The number of positions, over all tokens, whose byte is fixed.
    public var fixedBytes: Int {
        tokens.reduce(0) { $0 + $1.bytes.count - $1.masked.count }
    }

    private enum CodingKeys: String, CodingKey {
        case tokens, arrangement, context, provenance
    }

    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        tokens = try values.decode([Token].self, forKey: .tokens)
        guard !tokens.isEmpty else {
            throw DecodingError.dataCorruptedError(forKey: .tokens, in: values, debugDescription: "there are no tokens")
        }
        arrangement = try values.decodeIfPresent(Arrangement.self, forKey: .arrangement) ?? .sequence
        context = try values.decode(SignatureContext.self, forKey: .context)
        provenance = try values.decodeIfPresent(Provenance.self, forKey: .provenance)
    }
}

extension Signature: CustomStringConvertible {
    /// For people: `31c0??68 {0-4} cd80`, with `*` between tokens without bounds and `&` between those of a conjunction.
    public var description: String {
        var text = ""
        for (index, token) in tokens.enumerated() {
            if arrangement == .conjunction {
                if index > 0 { text += " & " }
            } else if let gap = token.gap {
                text += (index == 0 ? "" : " ") + "{\(gap.lowerBound)-\(gap.upperBound)} "
            } else if index > 0 {
                text += " * "
            }
            text += token.pattern
        }
        return text
    }
}
