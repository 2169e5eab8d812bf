// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// An entry of the audit log as a line of JSON, with the hash of the entry before: a file of such lines can be checked away from the
/// center.
public struct AuditLine: Hashable, Sendable, Codable {
    public var sequence: Int64
    public var timeMilliseconds: Int64
    public var actor: String
    public var action: String
    public var subject: String
    public var detail: String
    /// Hexadecimal digits, as ``hash``.
    public var previous: String
    public var hash: String

    public init(_ entry: AuditEntry, after previous: AuditHash) {
        (sequence, timeMilliseconds) = (entry.sequence, entry.timeMilliseconds)
        (actor, action, subject, detail) = (entry.actor, entry.action, entry.subject, entry.detail)
        self.previous = previous.description
        hash = entry.hash.description
    }

    /// - Returns: `nil` for a line that is none.
    public init?(json: some Sequence<UInt8>) {
        guard let line = try? JSONDecoder().decode(Self.self, from: Data(json)), line.entry != nil, AuditHash(line.previous) != nil else {
            return nil
        }
        self = line
    }

    /// Its members in the order of their names, without a line's end.
    public var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Texts and whole numbers can always be written.
        return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }

    /// - Returns: `nil` where the hash is none.
    public var entry: AuditEntry? {
        AuditHash(hash).map {
            AuditEntry(
                sequence: sequence, timeMilliseconds: timeMilliseconds, actor: actor, action: action, subject: subject, detail: detail,
                hash: $0)
        }
    }

    /// What stands before the entry, by its own word.
    public var start: AuditHead { AuditHead(sequence: sequence - 1, hash: AuditHash(previous) ?? .none) }
}
