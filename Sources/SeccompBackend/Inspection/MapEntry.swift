import EpitopeModel

/// A mapping as the kernel states it: a line of `/proc/PID/maps`.
struct MapEntry: Hashable, Sendable {
    /// The file system that a mapped file lies on.
    struct Device: Hashable, Sendable {
        var major: UInt32
        var minor: UInt32
    }

    var start: UInt64
    var end: UInt64
    var protection: MemoryProtection
    var offset: UInt64
    var device: Device
    /// 0: no file is mapped.
    var inode: UInt64
    /// A path, or a name in brackets; empty for plain anonymous memory. The process chooses it: it is a hint, and
    /// what is held of the mapping rests on ``inode`` and ``device``.
    var name: String

    func contains(_ address: UInt64) -> Bool {
        address >= start && address < end
    }

    /// Whether two mappings are parts of one image.
    func isSameImage(as other: MapEntry) -> Bool {
        if inode != 0 || other.inode != 0 { return inode == other.inode && device == other.device }
        return start == other.start
    }
}

extension MapEntry {
    /// Parses a line of `/proc/PID/maps`; `nil` when it isn't one.
    init?(line: Substring) {
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

    /// Parses a whole `/proc/PID/maps`, in ascending order. Lines that aren't mappings are passed over.
    static func entries(inMaps text: String) -> [MapEntry] {
        text.split(separator: "\n").compactMap { MapEntry(line: $0) }
    }
}
