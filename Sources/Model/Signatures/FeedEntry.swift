// SPDX-License-Identifier: Apache-2.0

/// A signature update as a center numbers it for its subscribers.
public struct FeedEntry: Hashable, Sendable, Codable {
    /// Grows with every update that a center publishes; a subscriber asks for what comes after the last it has.
    public var sequence: Int64
    public var update: SignatureUpdate

    public init(sequence: Int64, update: SignatureUpdate) {
        self.sequence = sequence
        self.update = update
    }
}
