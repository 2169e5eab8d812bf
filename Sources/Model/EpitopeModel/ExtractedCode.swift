// SPDX-License-Identifier: Apache-2.0

/// Malicious code as it was extracted from a process: its bytes and their address.
public struct ExtractedCode: Hashable, Sendable {
    /// The address of the first byte.
    public var base: UInt64
    public var bytes: [UInt8]
    /// Whether ``bytes`` is the whole region; otherwise it is a snippet around the caller's address.
    public var isWholeRegion: Bool

    public init(base: UInt64, bytes: [UInt8], isWholeRegion: Bool) {
        self.base = base
        self.bytes = bytes
        self.isWholeRegion = isWholeRegion
    }

    /// The offset of an address in ``bytes``. The address right after the last byte counts as inside, since a
    /// caller's address is the address after the calling instruction.
    public func offset(of address: UInt64) -> Int? {
        guard address >= base, address - base <= UInt64(bytes.count) else { return nil }
        return Int(address - base)
    }

    /// What lies around an address: at most so many bytes on each side; `nil` where the address does not lie in the code.
    public func snippet(around address: UInt64, side: Int) -> ExtractedCode? {
        guard let place = offset(of: address) else { return nil }
        let start = max(0, place - side), end = min(bytes.count, place + side)
        return ExtractedCode(
            base: base + UInt64(start), bytes: Array(bytes[start..<end]), isWholeRegion: isWholeRegion && start == 0 && end == bytes.count)
    }
}
