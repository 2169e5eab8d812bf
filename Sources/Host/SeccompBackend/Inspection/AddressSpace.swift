// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import EpitopeModel
import FileAccess
import Glibc
import ProcessInspection

/// The address space of a stalled process, queried address by address.
///
/// From 6.11 on the kernel answers for one address (PROCMAP_QUERY), which costs a fraction of a microsecond; on older
/// kernels the whole of `/proc/PID/maps` is read and parsed, once. It serves one inspection: mappings are not cached from
/// call to call, since they may change in between.
final class AddressSpace {
    enum Source {
        /// The query if the kernel has it, else the text.
        case automatic
        case text
    }

    /// Where a process's code can lie on x86-64: above the first page, and below the kernel's half.
    static let codeAddresses: Range<UInt64> = 0x1001..<0x7FFF_FFFF_F000

    private let maps: Int32
    private let files: ThreadFiles
    private var entries: [MapEntry]?
    /// The mapping that was found last: several questions are asked about one.
    private var lastSpan: epitope_span?
    /// Whether there is unbacked executable memory; `nil` while nobody asked.
    var hasUnbackedCode: Bool?
    /// Executable memory seen so far: for each span, the executable mapping that fills it, or none.
    private var spans: [(start: UInt64, end: UInt64, entry: MapEntry?)] = []

    init(_ files: ThreadFiles, source: Source) {
        self.files = files
        maps = files.maps
        if source == .text { entries = Self.parse(maps) }
    }

    /// The mapping at an address; `nil` where nothing is mapped.
    func entry(at address: UInt64) -> MapEntry? {
        if entries == nil {
            switch query(address, next: false) {
            case .found(let entry): return entry
            case .none: return nil
            case .unsupported: entries = Self.parse(maps)
            }
        }
        return entries?.first { $0.contains(address) }
    }

    /// The mapping at an address without its name, which costs most to query.
    func span(at address: UInt64) -> epitope_span? {
        if let lastSpan, address >= lastSpan.start, address < lastSpan.end { return lastSpan }
        if entries == nil {
            var span = epitope_span()
            switch epitope_query_span(maps, address, &span) {
            case 0:
                lastSpan = span
                return span
            case -ENOENT, -ESRCH: return nil
            default: break
            }
        }
        return entry(at: address).map { epitope_span($0) }
    }

    /// The first executable mapping that ends behind an address, without its name; `nil` if there is none.
    func nextCode(from address: UInt64) -> epitope_span? {
        if entries == nil {
            var span = epitope_span()
            switch epitope_query_next_code(maps, address, &span) {
            case 0: return span
            case -ENOENT, -ESRCH: return nil
            default: entries = Self.parse(maps)
            }
        }
        return entries?.first { $0.end > address && $0.protection.contains(.execute) }.map { epitope_span($0) }
    }

    /// The executable mapping that an address lies in; `nil` where there is none.
    func executableEntry(at address: UInt64) -> MapEntry? {
        for span in spans where address >= span.start && address < span.end { return span.entry }
        if entries == nil {
            switch query(address, next: true) {
            case .found(let entry):
                spans.append((entry.start, entry.end, entry))
                if entry.start > address { spans.append((address, entry.start, nil)) }
                return entry.contains(address) ? entry : nil
            case .none:
                spans.append((address, .max, nil))
                return nil
            case .unsupported: entries = Self.parse(maps)
            }
        }
        guard let entry = entries?.first(where: { $0.contains(address) }), entry.protection.contains(.execute) else {
            return nil
        }
        return entry
    }

    /// The mapping that ends where another begins.
    func entry(before entry: MapEntry) -> MapEntry? {
        entry.start == 0 ? nil : self.entry(at: entry.start - 1)
    }

    private enum Answer {
        case found(MapEntry)
        case none
        case unsupported
    }

    private func query(_ address: UInt64, next: Bool) -> Answer {
        withUnsafeTemporaryAllocation(of: epitope_mapping.self, capacity: 1) { buffer in
            guard let mapping = buffer.baseAddress else { return .unsupported }
            switch epitope_query_mapping(maps, address, next, mapping) {
            case 0: break
            case -ENOENT, -ESRCH: return .none
            default: return .unsupported
            }
            let name = withUnsafeBytes(of: &mapping.pointee.name) { bytes in
                String(decoding: bytes.prefix(Int(mapping.pointee.name_length)), as: UTF8.self)
            }
            return .found(
                MapEntry(
                    start: mapping.pointee.start, end: mapping.pointee.end,
                    protection: MemoryProtection(rawValue: UInt8(truncatingIfNeeded: mapping.pointee.flags)),
                    offset: mapping.pointee.offset,
                    device: .init(major: mapping.pointee.device_major, minor: mapping.pointee.device_minor),
                    inode: mapping.pointee.inode, name: name))
        }
    }

    private static func parse(_ maps: Int32) -> [MapEntry] {
        let bytes = try? DescriptorIO.readToEnd(maps, maxBytes: ProcFS.maxProcessBytes)
        return MapEntry.entries(inMaps: String(decoding: bytes ?? [], as: UTF8.self))
    }
}

extension epitope_span {
    init(_ entry: MapEntry) {
        self.init(
            start: entry.start, end: entry.end, offset: entry.offset, inode: entry.inode, device_major: entry.device.major,
            device_minor: entry.device.minor, flags: UInt32(entry.protection.rawValue))
    }

    var device: MapEntry.Device { MapEntry.Device(major: device_major, minor: device_minor) }

    var protection: MemoryProtection { MemoryProtection(rawValue: UInt8(truncatingIfNeeded: flags)) }

    /// Whether two mappings are of the same file.
    func isSameImage(as other: epitope_span) -> Bool { inode == other.inode && device == other.device }
}
