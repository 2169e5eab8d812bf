// SPDX-License-Identifier: Apache-2.0

/// A center's confirmation that a message is committed to its store. Only then may the sender delete the message.
public struct Receipt: Hashable, Sendable, Codable {
    /// Identity of the message: a packet's or a forward's id.
    public var id: String
    /// When the center committed it, in milliseconds since 1970-01-01T00:00:00Z, by the center's clock.
    public var storedMilliseconds: Int64
    /// The center already had the message, and kept the first copy.
    public var wasKnown: Bool

    public init(id: String, storedMilliseconds: Int64, wasKnown: Bool) {
        self.id = id
        self.storedMilliseconds = storedMilliseconds
        self.wasKnown = wasKnown
    }
}
