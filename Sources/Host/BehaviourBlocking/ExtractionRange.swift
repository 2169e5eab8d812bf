// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// How malicious code is taken out of a process.
public enum ExtractionMode: String, Hashable, Sendable, Codable, CaseIterable {
    /// The process keeps its code.
    case copy
    /// The copied range is overwritten in the process with breakpoint instructions while the call is still stalled:
    /// whatever runs there next gets SIGTRAP. Data in the range is lost too.
    case cut

    /// What ``cut`` overwrites with: `int3`, one byte on both x86 widths, so that no jump into the middle of an
    /// instruction finds anything else.
    public static let breakpoint: UInt8 = 0xCC
}

/// The part of a region that is extracted around a caller's address.
public struct ExtractionRange: Hashable, Sendable {
    /// A region of at most this many bytes is extracted whole.
    public static let maxWholeRegion = UInt64(ExtractedPacket.maxCodeBytes)
    /// Of a larger region, this many bytes on each side of the caller's address are extracted.
    public static let snippetSide = maxWholeRegion / 2

    public var start: UInt64
    /// The number of bytes, at most ``maxWholeRegion``.
    public var count: Int
    public var isWholeRegion: Bool

    /// The range for a caller in a region. The caller's address may be the region's end, where the calling
    /// instruction is the region's last; `nil` when it lies outside.
    public init?(of region: MemoryRegion, callersAddress: UInt64) {
        guard region.start < region.end, callersAddress >= region.start, callersAddress <= region.end else {
            return nil
        }
        isWholeRegion = region.end - region.start <= Self.maxWholeRegion
        guard !isWholeRegion else {
            start = region.start
            count = Int(region.end - region.start)
            return
        }
        let before = min(callersAddress - region.start, Self.snippetSide)
        let after = min(region.end - callersAddress, Self.snippetSide)
        start = callersAddress - before
        count = Int(before + after)
    }

    /// The extracted code, given the bytes that could be read from ``start`` on. If fewer than ``count`` could be read, it
    /// is a snippet.
    public func code(read bytes: [UInt8]) -> ExtractedCode {
        ExtractedCode(base: start, bytes: bytes, isWholeRegion: isWholeRegion && bytes.count == count)
    }
}
