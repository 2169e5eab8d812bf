// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import Rendering
import Signatures

/// Reads the signatures that `epitope verify` searches for.
enum VerifyRules {
    /// The signatures in a file, each once; of the output of `epitope extract`, the best one.
    ///
    /// - Parameter path: `-` is standard input.
    /// - Throws: `rules-unreadable`, `rules-malformed`, `rule-malformed`.
    static func signatures(in path: String) throws(EpitopeError) -> [Signature] {
        let data: Data
        do {
            data = path == "-" ? try FileHandle.standardInput.readToEnd() ?? Data() : try Data(contentsOf: URL(filePath: path))
        } catch {
            throw EpitopeError(
                .rulesUnreadable, "\(path) can't be read", remedy: "name a file of signatures or rules, or - for standard input")
        }
        let text = String(decoding: data, as: UTF8.self)
        let start = text.first { !$0.isWhitespace }
        let found = start == "{" || start == "[" ? try fromJSON(data, path: path) : try fromRules(text)
        guard !found.isEmpty else { throw malformed(path, "it contains none") }
        var seen: Set<String> = []
        return found.filter { seen.insert("\($0.id) \($0.context)").inserted }
    }

    /// A signature, or an update with one.
    private struct Entry: Decodable {
        let signature: Signature

        private enum CodingKeys: String, CodingKey {
            case signature
        }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            signature = values.contains(.signature) ? try values.decode(Signature.self, forKey: .signature) : try Signature(from: decoder)
        }
    }

    /// The output of `epitope extract -o json`, of which the best candidate counts.
    private struct Extraction: Decodable {
        let candidates: [Entry]
    }

    private static func fromJSON(_ data: Data, path: String) throws(EpitopeError) -> [Signature] {
        do {
            let decoder = JSONDecoder()
            if let list = try? decoder.decode([Entry].self, from: data) { return list.map(\.signature) }
            if let extraction = try? decoder.decode(Extraction.self, from: data) { return extraction.candidates.prefix(1).map(\.signature) }
            return [try decoder.decode(Entry.self, from: data).signature]
        } catch {
            throw malformed(path, "it is JSON of something else")
        }
    }

    private static func fromRules(_ text: String) throws(EpitopeError) -> [Signature] {
        var signatures: [Signature] = []
        for line in text.split(whereSeparator: \.isNewline) where !line.hasPrefix("#") && !line.allSatisfy(\.isWhitespace) {
            signatures.append(try signature(of: try RuleSyntax.check(String(line))))
        }
        return signatures
    }

    /// The signature that a rule was rendered from.
    static func signature(of rule: SuricataRule) throws(EpitopeError) -> Signature {
        let isConjunction = rule.contents.count > 1 && rule.contents.allSatisfy { $0.placement == .anywhere }
        var tokens: [Signature.Token] = []
        for (index, content) in rule.contents.enumerated() {
            switch content.placement {
            case .anywhere where index == 0 || isConjunction: tokens.append(Signature.Token(bytes: content.bytes))
            case .anywhere:
                throw EpitopeError(
                    .ruleMalformed, "rule \(rule.sid) mixes contents with and without a distance",
                    remedy: "use rules that Epitope wrote")
            case .absolute(let offset, let depth):
                tokens.append(Signature.Token(bytes: content.bytes, gap: gap(offset, depth, content)))
            case .relative(0, nil): tokens.append(Signature.Token(bytes: content.bytes))
            case .relative(let distance, let within):
                tokens.append(Signature.Token(bytes: content.bytes, gap: gap(distance, within, content)))
            }
        }
        return Signature(tokens: tokens, arrangement: isConjunction ? .conjunction : .sequence, context: context(of: rule)).canonical
    }

    /// Depth and within are about all of a content's bytes, a gap about the first. Both are at least the content's length:
    /// ``RuleSyntax`` checks that.
    private static func gap(_ start: Int, _ room: Int?, _ content: SuricataRule.Content) -> ClosedRange<Int> {
        start...(room.map { start + max(0, $0 - content.bytes.count) } ?? Int(UInt32.max))
    }

    private static func context(of rule: SuricataRule) -> SignatureContext {
        let transport: TransportProtocol
        switch rule.ruleProtocol {
        case .ip: return .any
        case .tcp: transport = .tcp
        case .udp: transport = .udp
        }
        if rule.flow == .toClient || !rule.sourcePorts.isEmpty {
            return SignatureContext(transport: transport, ports: rule.sourcePorts, direction: .fromPeer)
        }
        let isToService = rule.flow == .toServer || !rule.destinationPorts.isEmpty
        return SignatureContext(transport: transport, ports: rule.destinationPorts, direction: isToService ? .toService : .any)
    }

    private static func malformed(_ path: String, _ why: String) -> EpitopeError {
        EpitopeError(
            .rulesMalformed, "\(path) is not a file of signatures: \(why)",
            remedy: "give signatures as JSON (epitope extract -o json), or rules that Epitope wrote")
    }
}
