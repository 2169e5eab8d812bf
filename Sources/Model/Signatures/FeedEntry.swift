// SPDX-License-Identifier: Apache-2.0

/// A signature update with the number that a center gave it for its subscribers.
public struct FeedEntry: Hashable, Sendable, Codable {
    /// Increases with every update that a center publishes. A subscriber requests the updates after the last one it has.
    public var sequence: Int64
    public var update: SignatureUpdate
    /// The numbers of entries of other signatures whose place the update takes: its signature matches what theirs matched.
    /// Ascending, at most ``maxRevised``.
    public var revises: [Int64]

    /// More than a center has rules of one attack in force.
    public static let maxRevised = 32

    public init(sequence: Int64, update: SignatureUpdate, revises: [Int64] = []) {
        self.sequence = sequence
        self.update = update
        self.revises = revises
    }
}
