// SPDX-License-Identifier: Apache-2.0

/// Where, and how, a chain is broken.
public enum AuditBreak: Hashable, Sendable, CustomStringConvertible {
    /// An entry does not have the hash of what is in it after the one before.
    case altered(Int64)
    /// After an entry comes another one than the next.
    case gap(after: Int64, found: Int64)
    /// The chain does not begin with entry 1, and nothing that is known says what stood before.
    case beginningMissing(first: Int64)
    /// The entry of a head that was noted earlier has another hash.
    case headDiffers(AuditHead)
    /// The chain ends before a head that was noted earlier.
    case headMissing(AuditHead, last: Int64)
    /// A head that was noted earlier is of an entry that was removed since, and can't be compared.
    case headRemoved(AuditHead, first: Int64)
    /// A line of a file is no entry.
    case unreadable(line: Int)

    public var description: String {
        switch self {
        case .altered(let number):
            "at entry \(number): its hash is not that of what is in it after entry \(number - 1); it was changed, or the entry before was"
        case .gap(let after, let found): "after entry \(after): the next is \(found); what stood between is missing, or was put elsewhere"
        case .beginningMissing(let first):
            "at its beginning: it begins with entry \(first), and no checkpoint in it says what retention removed before"
        case .headDiffers(let head):
            "at or before entry \(head.sequence): the head that was noted earlier has another hash; it was made anew"
        case .headMissing(let head, let last):
            "at its end: it ends with entry \(last), and the head that was noted earlier is of entry \(head.sequence); entries were cut off, or "
                + "the store was put back from a backup"
        case .headRemoved(let head, let first):
            "at its beginning: the head that was noted earlier is of entry \(head.sequence), and the chain begins with \(first) by now; give one "
                + "that was noted later"
        case .unreadable(let line): "at line \(line) of the file, which is no entry of an audit log"
        }
    }
}

/// What is known of a chain that was looked through.
public struct AuditVerification: Hashable, Sendable {
    /// How many entries were looked at.
    public var entries: Int64 = 0
    /// The number of the first of them; 0: there is none.
    public var first: Int64 = 0
    /// The last entry up to which all is whole.
    public var head = AuditHead.empty
    /// Its time, in milliseconds since 1970.
    public var headMilliseconds: Int64 = 0
    /// Where it is broken first; `nil`: it is whole.
    public var broken: AuditBreak?
}

/// Looks through a chain, entry by entry, in their order.
public struct AuditVerifier: Sendable {
    private var result = AuditVerification()
    private let noted: AuditHead?
    /// What the chain says to have stood before its first entry, until something proves it.
    private var claim: AuditHead?

    /// - Parameters:
    ///   - start: what stands before the first entry, by what the chain says itself.
    ///   - noted: a head that was noted earlier, elsewhere; `nil`: there is none.
    public init(after start: AuditHead, noted: AuditHead?) {
        self.noted = noted
        result.head = start
        if start != .empty, start != noted { claim = start }
        if let noted, noted.sequence == start.sequence, noted != start { result.broken = .headDiffers(noted) }
    }

    /// - Returns: whether the chain is whole so far; after a break nothing more is looked at.
    public mutating func look(at entry: AuditEntry) -> Bool {
        guard result.broken == nil else { return false }
        if result.entries == 0 { result.first = entry.sequence }
        result.entries += 1
        guard entry.sequence == result.head.sequence + 1 else {
            return fail(
                result.entries == 1
                    ? .beginningMissing(first: entry.sequence) : .gap(after: result.head.sequence, found: entry.sequence))
        }
        guard entry.computedHash(after: result.head.hash) == entry.hash else { return fail(.altered(entry.sequence)) }
        (result.head, result.headMilliseconds) = (entry.head, entry.timeMilliseconds)
        if claim != nil, AuditCheckpoint(entry)?.last == claim { claim = nil }
        if let noted, noted.sequence == entry.sequence, noted.hash != entry.hash { return fail(.headDiffers(noted)) }
        return true
    }

    /// A line of a file is no entry.
    public mutating func fail(line: Int) { if result.broken == nil { result.broken = .unreadable(line: line) } }

    private mutating func fail(_ broken: AuditBreak) -> Bool {
        result.broken = broken
        return false
    }

    /// What came of it, when all was looked at.
    public var outcome: AuditVerification {
        var result = result
        guard result.broken == nil else { return result }
        if claim != nil {
            result.broken = .beginningMissing(first: result.first)
        } else if let noted, noted.sequence > result.head.sequence {
            result.broken = .headMissing(noted, last: result.head.sequence)
        } else if let noted, noted.sequence > 0, result.first > 0, noted.sequence < result.first - 1 {
            result.broken = .headRemoved(noted, first: result.first)
        }
        return result
    }
}
