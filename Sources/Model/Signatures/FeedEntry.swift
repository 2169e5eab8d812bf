// SPDX-License-Identifier: Apache-2.0

/// A signature update with the number that a center gave it for its subscribers.
public struct FeedEntry: Hashable, Sendable, Codable {
    /// Increases with every update that a center publishes. A subscriber requests the updates after the last one it has.
    public var sequence: Int64
    public var update: SignatureUpdate

    public init(sequence: Int64, update: SignatureUpdate) {
        self.sequence = sequence
        self.update = update
    }
}
