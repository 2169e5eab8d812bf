// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import FileAccess

/// A mapping as the kernel states it: a line of `/proc/PID/maps`.
public struct MapEntry: Hashable, Sendable {
    /// The file system that a mapped file lies on.
    public struct Device: Hashable, Sendable {
        public var major: UInt32
        public var minor: UInt32

        public init(major: UInt32, minor: UInt32) {
            self.major = major
            self.minor = minor
        }
    }

    /// The size of a page on x86, in bytes.
    public static let pageSize: UInt64 = 4096

    public var start: UInt64
    public var end: UInt64
    public var protection: MemoryProtection
    public var offset: UInt64
    public var device: Device
    /// 0 where no file is mapped.
    public var inode: UInt64
    /// A path, or a name in brackets; empty for plain anonymous memory. The process chooses it, so it is only a hint:
    /// decisions rest on ``inode`` and ``device``.
    public var name: String

    public init(
        start: UInt64, end: UInt64, protection: MemoryProtection, offset: UInt64, device: Device, inode: UInt64, name: String
    ) {
        self.start = start
        self.end = end
        self.protection = protection
        self.offset = offset
        self.device = device
        self.inode = inode
        self.name = name
    }

    /// Whether the address lies in the mapping; its end doesn't.
    public func contains(_ address: UInt64) -> Bool {
        address >= start && address < end
    }

    /// Whether two mappings are parts of one image.
    public func isSameImage(as other: MapEntry) -> Bool {
        if inode != 0 || other.inode != 0 { return inode == other.inode && device == other.device }
        return start == other.start
    }
}

extension MapEntry {
    /// Parses a line of `/proc/PID/maps`; `nil` when it isn't one.
    public init?(line: Substring) {
        let fields = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: true)
        guard fields.count >= 5 else { return nil }
        let bounds = fields[0].split(separator: "-")
        let device = fields[3].split(separator: ":")
        guard bounds.count == 2, device.count == 2, fields[1].utf8.count == 4,
            let start = UInt64(bounds[0], radix: 16), let end = UInt64(bounds[1], radix: 16), start < end,
            let offset = UInt64(fields[2], radix: 16), let major = UInt32(device[0], radix: 16),
            let minor = UInt32(device[1], radix: 16), let inode = UInt64(fields[4])
        else { return nil }
        self.start = start
        self.end = end
        self.offset = offset
        self.device = Device(major: major, minor: minor)
        self.inode = inode
        protection = []
        for (letter, right) in zip(fields[1].utf8, [MemoryProtection.read, .write, .execute]) where letter != UInt8(ascii: "-") {
            protection.insert(right)
        }
        if fields[1].hasSuffix("s") { protection.insert(.shared) }
        name = fields.count == 6 ? String(fields[5].drop { $0 == " " }) : ""
    }

    /// Parses a whole `/proc/PID/maps`, in ascending order. Lines that aren't mappings are skipped.
    public static func entries(inMaps text: String) -> [MapEntry] {
        text.split(separator: "\n").compactMap { MapEntry(line: $0) }
    }
}

extension FileIdentity {
    /// Whether an open file, whose identity this is, is the one that is mapped. Where its own state says another, a mapping of it
    /// must say the same: overlayfs, which containers' files lie on, and btrfs state one device for a file and another for its
    /// mappings.
    public func isOf(_ file: FileDescriptor, mapped inode: UInt64, on device: MapEntry.Device) -> Bool {
        if self.inode == inode, MapEntry.Device(major: deviceMajor, minor: deviceMinor) == device { return true }
        guard let mapped = MappedFileIdentity(file.number) else { return false }
        return mapped.inode == inode && MapEntry.Device(major: mapped.deviceMajor, minor: mapped.deviceMinor) == device
    }
}
