// SPDX-License-Identifier: Apache-2.0

import Crypto
import EpitopeModel
import Foundation

/// An entry of the audit log: who did what, when, to what. Each is bound to the one before by its hash, so that none can be changed,
/// removed or put in without all after it being made anew: a linear chain of hashes (S. Haber, W. S. Stornetta: How to Time-Stamp a
/// Digital Document, Journal of Cryptology 3, 1991, section 5.1). Who can write to the store can make all of it anew; a head that was
/// noted elsewhere (``AuditHead``) shows that.
public struct AuditEntry: Hashable, Sendable {
    /// Counts up by one from 1: a gap is a break.
    public var sequence: Int64
    /// Milliseconds since 1970-01-01T00:00:00Z by the clock of then, which may have been wrong: what came first is told by ``sequence``.
    public var timeMilliseconds: Int64
    /// ``AuditActor/text``.
    public var actor: String
    /// A word of ``CenterEvent/Step``.
    public var action: String
    /// What it was done to: the id of a signature or packet, or a name.
    public var subject: String
    public var detail: String
    public var hash: AuditHash

    /// Makes the entry that follows another one.
    init(after head: AuditHead, timeMilliseconds: Int64, actor: String, action: String, subject: String, detail: String) {
        sequence = head.sequence + 1
        self.timeMilliseconds = timeMilliseconds
        (self.actor, self.action) = (Self.storable(actor), action)
        (self.subject, self.detail) = (Self.storable(subject), Self.storable(detail))
        hash = head.hash
        hash = computedHash(after: head.hash)
    }

    init(
        sequence: Int64, timeMilliseconds: Int64, actor: String, action: String, subject: String, detail: String, hash: AuditHash
    ) {
        (self.sequence, self.timeMilliseconds, self.hash) = (sequence, timeMilliseconds, hash)
        (self.actor, self.action, self.subject, self.detail) = (actor, action, subject, detail)
    }

    /// What begins the bytes that are hashed: those of no other format, and of no other version of this one, begin so.
    private static let domain = "epitope-audit-1\n"

    /// The hash that the entry must have after another one: SHA-256 of the line `epitope-audit-1`, the hash before (32 bytes), the number
    /// and the time (8 bytes each, the most significant first), and then actor, action, subject and detail in UTF-8, each after its
    /// length in bytes (4 bytes). No two entries have the same bytes.
    public func computedHash(after previous: AuditHash) -> AuditHash {
        var bytes = Array(Self.domain.utf8) + previous.bytes
        func add(_ number: some FixedWidthInteger) { withUnsafeBytes(of: number.bigEndian) { bytes += $0 } }
        add(sequence)
        add(timeMilliseconds)
        for text in [actor, action, subject, detail] {
            add(UInt32(clamping: text.utf8.count))
            bytes += text.utf8
        }
        return AuditHash(Array(SHA256.hash(data: bytes)))
    }

    /// A text as every store gives it back: PostgreSQL takes no NUL.
    private static func storable(_ text: String) -> String { text.replacingOccurrences(of: "\0", with: "\u{FFFD}") }
}

/// A SHA-256.
public struct AuditHash: Hashable, Sendable, CustomStringConvertible {
    /// In bytes.
    public static let length = 32
    /// What stands before the first entry.
    public static let none = AuditHash(Array(repeating: 0, count: length))

    /// 32 of them.
    public let bytes: [UInt8]

    fileprivate init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// - Returns: `nil` unless there are 32.
    init?(checking bytes: [UInt8]) {
        guard bytes.count == Self.length else { return nil }
        self.bytes = bytes
    }

    /// - Parameter text: 64 hexadecimal digits.
    public init?(_ text: String) {
        guard let bytes = Hex.decode(text) else { return nil }
        self.init(checking: bytes)
    }

    public var description: String { Hex.encode(bytes) }
}

/// How far a chain has come: the number of its last entry, and that one's hash, which stands for all before. Written as
/// `NUMBER:HASH`.
public struct AuditHead: Hashable, Sendable, CustomStringConvertible {
    /// Of a chain without entries.
    public static let empty = AuditHead(sequence: 0, hash: .none)

    public var sequence: Int64
    public var hash: AuditHash

    public init(sequence: Int64, hash: AuditHash) {
        self.sequence = sequence
        self.hash = hash
    }

    /// - Returns: `nil` for another text than ``description`` is.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let sequence = Int64(parts[0]), sequence >= 0, let hash = AuditHash(String(parts[1])) else { return nil }
        self.init(sequence: sequence, hash: hash)
    }

    public var description: String { "\(sequence):\(hash)" }
}

extension AuditEntry {
    var head: AuditHead { AuditHead(sequence: sequence, hash: hash) }
}
