// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Foundation
import InputFiles
import Rendering
import Signatures

/// Reads the signatures that `epitope verify` searches for, in every form that Epitope writes.
struct VerifyRules {
    /// A rule that can't be searched for.
    struct Refusal: Encodable {
        /// The file, and the rule's place in it.
        var rule: String
        var reason: String
    }

    /// Each once.
    private(set) var signatures: [Signature] = []
    /// Rules of another hand, or damaged ones: they are not searched for.
    private(set) var refusals: [Refusal] = []
    /// For people.
    private(set) var notes: [String] = []
    private var seen: Set<String> = []

    /// In bytes: the largest file of rules.
    static let maxBytes = 256 << 20

    /// - Parameter paths: `-` is standard input.
    /// - Throws: `rules-unreadable`; `rules-malformed` for a file that is none of rules or signatures, and where none of the files
    ///   has one that can be searched for.
    init(_ paths: [String]) throws(EpitopeError) {
        for path in paths { try add(path) }
        guard signatures.isEmpty, let first = refusals.first else { return }
        throw EpitopeError(
            .rulesMalformed, "there is nothing to search for: \(first.rule): \(first.reason)", remedy: Self.remedy)
    }

    private mutating func add(_ path: String) throws(EpitopeError) {
        let bytes = try Self.bytes(of: path)
        let kind = FileKind(head: bytes)
        switch kind {
        case .json: try addJSON(bytes, path)
        case .rules, .text:
            let contents = RuleReader.rules(in: String(decoding: bytes, as: UTF8.self))
            if kind == .text, contents.rules.isEmpty { throw Self.malformed(path, "it is text without rules") }
            try add(contents, path)
        default:
            let hint = kind == .pcap || kind == .pcapng ? "; it is searched with --capture" : ""
            throw Self.malformed(path, "it is \(kind.description)\(hint)")
        }
    }

    private static func bytes(of path: String) throws(EpitopeError) -> [UInt8] {
        do throws(FileError) {
            guard path == "-" else { return try FileContents.whole(path, maxBytes: maxBytes) }
            guard let data = try? FileHandle.standardInput.readToEnd() else { return [] }
            guard data.count <= maxBytes else { throw .tooLong }
            return Array(data)
        } catch {
            throw EpitopeError(
                .rulesUnreadable, "\(path) can't be read: \(error)", remedy: "name a file of signatures or rules, or - for standard input")
        }
    }

    private mutating func add(_ contents: RuleReader.Contents, _ path: String) throws(EpitopeError) {
        guard !contents.rules.isEmpty || !contents.refusals.isEmpty else { throw Self.malformed(path, "it contains none") }
        for rule in contents.rules {
            add(rule.signature)
            guard !rule.isWhatItNames else { continue }
            notes.append(
                "\(path): the rule of \(rule.namedID) searches for other bytes than that signature has, and is reported as "
                    + "\(rule.signature.id): it was changed, or its language can't say all of it")
        }
        refusals += contents.refusals.map { Refusal(rule: "\(path), \($0.place)", reason: $0.reason) }
    }

    private mutating func add(_ signature: Signature) {
        if seen.insert("\(signature.id) \(signature.context)").inserted { signatures.append(signature) }
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

    /// The output of `epitope extract -o json`, of which what was proven counts.
    private struct Extraction: Decodable {
        struct Proof: Decodable {
            let signature: Signature
            let passed: Bool
        }

        let candidates: [Entry]
        let proofs: [Proof]
    }

    private mutating func addJSON(_ bytes: [UInt8], _ path: String) throws(EpitopeError) {
        if let contents = RuleReader.indicators(inJSON: bytes) { return try add(contents, path) }
        let data = Data(bytes)
        let decoder = JSONDecoder()
        if let list = try? decoder.decode([Entry].self, from: data), !list.isEmpty {
            for entry in list { add(entry.signature) }
        } else if let extraction = try? decoder.decode(Extraction.self, from: data) {
            let proven = extraction.proofs.filter(\.passed)
            guard !proven.isEmpty else { throw Self.malformed(path, "epitope extract proved none of its candidates") }
            for proof in proven { add(proof.signature) }
        } else if let entry = try? decoder.decode(Entry.self, from: data) {
            add(entry.signature)
        } else {
            throw Self.malformed(path, "it is JSON of \(JSONContent(bytes).description ?? "something else")")
        }
    }

    private static func malformed(_ path: String, _ why: String) -> EpitopeError {
        EpitopeError(
            .rulesMalformed, "\(path) is not a file of signatures: \(why)", remedy: remedy)
    }

    private static let remedy =
        "give signatures as JSON (epitope extract -o json), or rules that Epitope wrote: Suricata, Snort, YARA, ClamAV, STIX"
}
