// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// How malicious code is taken out of processes, and how much of it.
public struct ExtractionSettings: Hashable, Sendable {
    /// The usual amounts; the process keeps its code.
    public static let copy = ExtractionSettings()
    /// The usual amounts; the code is overwritten.
    public static let cut = ExtractionSettings(mode: .cut)

    public var mode: ExtractionMode
    public var amounts: ExtractionAmounts

    public init(mode: ExtractionMode = .copy, amounts: ExtractionAmounts = ExtractionAmounts()) {
        self.mode = mode
        self.amounts = amounts
    }
}

/// How much code is extracted, in bytes.
public struct ExtractionAmounts: Hashable, Sendable {
    /// What ``maxWholeBytes`` can be. A packet carries no more, and the kernel program copies no more; of less than the least no center could
    /// make its largest caller window.
    public static let wholeBounds = 256...ExtractedPacket.maxCodeBytes
    /// What ``sideBytes`` can be.
    public static let sideBounds = 256...ExtractedPacket.maxCodeBytes / 2

    /// A region of at most this many bytes is extracted whole.
    public var maxWholeBytes: Int
    /// Of a larger region, this many bytes on each side of the caller's address are extracted.
    public var sideBytes: Int

    /// Values beyond the bounds count as the nearest within.
    public init(maxWholeBytes: Int = ExtractionAmounts.wholeBounds.upperBound, sideBytes: Int = ExtractionAmounts.sideBounds.upperBound) {
        self.maxWholeBytes = min(max(maxWholeBytes, Self.wholeBounds.lowerBound), Self.wholeBounds.upperBound)
        self.sideBytes = min(max(sideBytes, Self.sideBounds.lowerBound), Self.sideBounds.upperBound)
    }
}
