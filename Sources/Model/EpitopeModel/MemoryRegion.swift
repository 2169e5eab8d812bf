// SPDX-License-Identifier: Apache-2.0

/// A mapping of a process's address space, as it stood when a critical call was stalled.
public struct MemoryRegion: Hashable, Sendable, Codable {
    /// First address of the region.
    public var start: UInt64
    /// First address after the region; always greater than ``start``.
    public var end: UInt64
    public var protection: MemoryProtection
    public var backing: MemoryBacking

    public init(start: UInt64, end: UInt64, protection: MemoryProtection, backing: MemoryBacking) {
        self.start = start
        self.end = end
        self.protection = protection
        self.backing = backing
    }

    /// Whether the address lies in the region; its end doesn't.
    public func contains(_ address: UInt64) -> Bool {
        address >= start && address < end
    }
}

/// The rights that a mapping has.
public struct MemoryProtection: OptionSet, Hashable, Sendable, Codable, CustomStringConvertible {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// It can be read.
    public static let read = MemoryProtection(rawValue: 1)
    /// It can be written.
    public static let write = MemoryProtection(rawValue: 2)
    /// Its bytes can run.
    public static let execute = MemoryProtection(rawValue: 4)
    /// The mapping is shared; otherwise it is private (copy on write).
    public static let shared = MemoryProtection(rawValue: 8)

    /// As in `/proc/PID/maps`: `rwxp`, `r-xs`.
    public var description: String {
        (contains(.read) ? "r" : "-") + (contains(.write) ? "w" : "-") + (contains(.execute) ? "x" : "-")
            + (contains(.shared) ? "s" : "p")
    }
}

/// What backs a piece of memory.
public enum MemoryBacking: Hashable, Sendable, Codable {
    /// A file image, unchanged at the address in question.
    case image(path: String)
    /// The kernel's own code in user space (`[vdso]`, `[vsyscall]`).
    case kernel
    case anonymous
    case stack
    case heap
    /// A memfd, or a deleted file on tmpfs.
    case memoryFile(name: String)
    /// A private page of a file image that was written after it was mapped.
    case writtenImagePage(path: String)
    /// A file on disk that the process could change while its code ran: mapped shared and writable, open for writing, or
    /// without a name since it was made.
    case writtenFile(path: String)

    /// Whether this is unbacked memory: no file image backs it.
    public var isUnbacked: Bool {
        switch self {
        case .image, .kernel: false
        case .anonymous, .stack, .heap, .memoryFile, .writtenImagePage, .writtenFile: true
        }
    }
}
