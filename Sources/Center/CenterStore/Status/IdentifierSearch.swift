// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import GRDB
public import Signatures

/// What an id names.
public enum KnownIdentifier: Hashable, Sendable {
    case packet(String)
    case signature(String)

    /// The id itself, whole.
    public var id: String {
        switch self {
        case .packet(let id), .signature(let id): id
        }
    }
}

extension CenterStore {
    /// The packets and signatures whose ids begin with some digits, in the order of their ids.
    ///
    /// - Parameters:
    ///   - prefix: hexadecimal digits in lower case; with others nothing begins.
    ///   - limit: the most of each.
    public func identifiers(beginningWith prefix: String, limit: Int) async throws(EpitopeError) -> [KnownIdentifier] {
        guard !prefix.isEmpty, prefix.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }) else { return [] }
        // A letter beyond the last digit: what begins with the digits lies between.
        let end = prefix + "g"
        return try await snapshot { transaction in
            let packets = try String.fetchAll(
                transaction.db, sql: "SELECT id FROM reports WHERE id >= ? AND id < ? ORDER BY id LIMIT \(limit)",
                arguments: [prefix, end])
            let signatures = try String.fetchAll(
                transaction.db,
                sql:
                    "SELECT DISTINCT signature_id FROM updates WHERE signature_id >= ? AND signature_id < ? ORDER BY signature_id LIMIT \(limit)",
                arguments: [prefix, end])
            return packets.map { .packet($0) } + signatures.map { .signature($0) }
        }
    }

    /// The updates that were made of a signature, each with its proof, oldest first.
    public func updates(ofSignature id: String) async throws(EpitopeError) -> [SignatureUpdate] {
        try await snapshot { transaction in
            try String.fetchAll(
                transaction.db, sql: "SELECT body FROM updates WHERE signature_id = ? ORDER BY id", arguments: [id]
            ).map { try RowCoding.value(SignatureUpdate.self, $0) }
        }
    }
}
