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
    public var start: UInt64
    /// The number of bytes, at most ``EpitopeModel/ExtractedPacket/maxCodeBytes``.
    public var count: Int
    public var isWholeRegion: Bool

    /// The range for a caller in a region. The caller's address may be the region's end, where the calling
    /// instruction is the region's last; `nil` when it lies outside.
    public init?(of region: MemoryRegion, callersAddress: UInt64, amounts: ExtractionAmounts = ExtractionAmounts()) {
        guard region.start < region.end, callersAddress >= region.start, callersAddress <= region.end else {
            return nil
        }
        guard region.end - region.start > UInt64(amounts.maxWholeBytes) else {
            isWholeRegion = true
            start = region.start
            count = Int(region.end - region.start)
            return
        }
        let before = min(callersAddress - region.start, UInt64(amounts.sideBytes))
        let after = min(region.end - callersAddress, UInt64(amounts.sideBytes))
        start = callersAddress - before
        count = Int(before + after)
        // A snippet may be all there is.
        isWholeRegion = before + after == region.end - region.start
    }

    /// The part of code that was copied before which lies in the range; what was copied where it doesn't hold the caller's address.
    public func part(of copied: ExtractedCode, callersAddress: UInt64) -> ExtractedCode {
        let from = max(start, copied.base), to = min(start + UInt64(count), copied.base + UInt64(copied.bytes.count))
        guard from < to, from < callersAddress, callersAddress <= to else { return copied }
        let offset = Int(from - copied.base)
        return ExtractedCode(
            base: from, bytes: Array(copied.bytes[offset..<offset + Int(to - from)]),
            isWholeRegion: isWholeRegion && from == start && Int(to - from) == count)
    }

    /// The extracted code, given the bytes that could be read from ``start`` on. If fewer than ``count`` could be read, it
    /// is a snippet.
    public func code(read bytes: [UInt8]) -> ExtractedCode {
        ExtractedCode(base: start, bytes: bytes, isWholeRegion: isWholeRegion && bytes.count == count)
    }
}
