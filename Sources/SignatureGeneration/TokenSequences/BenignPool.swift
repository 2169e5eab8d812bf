// SPDX-License-Identifier: Apache-2.0

public import Signatures

/// Streams of the network that are held benign: what a signature must not match, and against which the rarity of
/// tokens is counted.
public struct BenignPool: Sendable {
    public var streams: [[UInt8]]

    public init(streams: [[UInt8]]) {
        self.streams = streams
    }

    /// How many of the streams a signature matches.
    public func matches(of signature: Signature) -> Int {
        streams.count { signature.matches($0) }
    }
}
