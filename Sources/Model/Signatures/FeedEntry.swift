// SPDX-License-Identifier: Apache-2.0

/// A change that a center passes on to its subscribers, in the order in which it made them.
public struct FeedEntry: Hashable, Sendable, Codable {
    /// What changed.
    public enum Change: Hashable, Sendable, Codable {
        case update(SignatureUpdate)
        /// A person withdrew a signature: its rules leave every subscriber's IDS.
        case withdrawal(Withdrawal)
        /// What it says can't be read, for that reason: it is damaged, or of a later version. A subscriber passes over it.
        case unreadable(String)
    }

    /// A signature that was withdrawn.
    public struct Withdrawal: Hashable, Sendable, Codable {
        public var signatureID: String
        /// For a person.
        public var reason: String

        public init(signatureID: String, reason: String) {
            self.signatureID = signatureID
            self.reason = reason
        }
    }

    /// Where the entry stands in the feed. A subscriber requests the entries after the last one it has.
    public var position: FeedPosition
    public var change: Change
    /// The numbers of entries of other signatures whose place the update takes: its signature matches what theirs matched.
    /// Ascending, at most ``maxRevised``.
    public var revises: [Int64]
    /// The number (sid) of the update's rule, the same at every subscriber; `nil`: each gives it one of its own.
    public var ruleNumber: UInt32?

    /// More than a center has rules of one attack in force.
    public static let maxRevised = 32

    public init(position: FeedPosition, change: Change, revises: [Int64] = [], ruleNumber: UInt32? = nil) {
        self.position = position
        self.change = change
        self.revises = revises
        self.ruleNumber = ruleNumber
    }

    public init(sequence: Int64, update: SignatureUpdate, revises: [Int64] = []) {
        self.init(position: FeedPosition(sequence: sequence), change: .update(update), revises: revises)
    }

    /// Increases with every entry.
    public var sequence: Int64 { position.sequence }

    /// `nil` for another change.
    public var update: SignatureUpdate? {
        if case .update(let update) = change { update } else { nil }
    }
}

/// The place of an entry in a center's feed.
///
/// A number alone doesn't name an entry: another center counts from 1, too, and one that was put back from a backup gives its last
/// numbers anew. Each entry has a random mark beside it, by which a center knows whether a subscriber's position is one of its own.
public struct FeedPosition: Hashable, Sendable, Codable {
    /// Counts from 1; 0 before the first entry.
    public var sequence: Int64
    /// Random; 0: none was kept.
    public var mark: UInt64

    public init(sequence: Int64, mark: UInt64 = 0) {
        self.sequence = sequence
        self.mark = mark
    }

    /// Before the first entry.
    public static let start = FeedPosition(sequence: 0)
}

/// A part of a feed, as a subscriber gets it.
public struct FeedPage: Hashable, Sendable {
    /// In the order of their numbers.
    public var entries: [FeedEntry]
    /// Whether the entries are the feed's first, since the center doesn't know the position that the subscriber gave: the subscriber
    /// begins anew, and takes what it lacks.
    public var isFromStart: Bool

    public init(entries: [FeedEntry] = [], isFromStart: Bool = false) {
        self.entries = entries
        self.isFromStart = isFromStart
    }
}
