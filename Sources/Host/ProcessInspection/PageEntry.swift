// SPDX-License-Identifier: Apache-2.0

/// An entry of `/proc/PID/pagemap` (the kernel's Documentation/admin-guide/mm/pagemap.rst).
public struct PageEntry: Sendable {
    private let bits: UInt64

    private static let present: UInt64 = 1 << 63
    private static let swapped: UInt64 = 1 << 62
    private static let isFilePage: UInt64 = 1 << 61

    public init(_ bits: UInt64) { self.bits = bits }

    /// Whether a page of a private file mapping was written: then it is present or swapped out, but isn't a page of the
    /// file any more. A page that is neither is the file's, since a written page stays in memory or in swap.
    public var isWritten: Bool { bits & (Self.present | Self.swapped) != 0 && bits & Self.isFilePage == 0 }
}

/// Tells which pages of a process's private file mappings were written.
public protocol PageInspecting {
    /// Whether the page at an address was written. Where the kernel doesn't say, it counts as written: the program could not
    /// be told from a patched one.
    func isWritten(_ address: UInt64) -> Bool
}

extension PageInspecting {
    /// Whether the instruction that ends before an address lies in a written page. Where the address is the second byte of
    /// a page, the instruction lies across two pages and both are checked: no call instruction is one byte long.
    public func isInstructionWritten(endingAt address: UInt64) -> Bool {
        isWritten(address - 1) || (address & (MapEntry.pageSize - 1) == 1 && isWritten(address - 2))
    }
}
