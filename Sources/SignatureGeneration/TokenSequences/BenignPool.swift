// SPDX-License-Identifier: Apache-2.0

public import Signatures

/// Benign streams of the network: signatures must not match them, and the rarity of tokens is counted in them.
public struct BenignPool: Sendable {
    public var streams: [[UInt8]]

    public init(streams: [[UInt8]]) {
        self.streams = streams
    }

    /// How many of the streams a signature matches.
    public func matches(of signature: Signature) -> Int {
        let matcher = SignatureMatcher(signature)
        return streams.count { matcher.matches($0) }
    }
}
