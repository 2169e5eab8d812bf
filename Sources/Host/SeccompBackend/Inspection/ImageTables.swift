// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import FileAccess
import Glibc
import ProcessInspection
import UnwindTables

/// The unwind tables of images, read from their files and cached.
///
/// They are read from the file, never from the process's memory: what a process wrote over its own copy must not be
/// believed, least of all for other processes. The file is kept open, so that its inode can't be reused, and its state is
/// compared at each use. An image whose file can't be identified with certainty has no tables.
struct ImageTables {
    /// How many images, and how many call sites of each, are cached; and how many bytes of tables in all.
    static let maxImages = 32
    static let maxSites = 1024
    static let maxBytes = 64 << 20

    private struct Key: Hashable {
        var device: MapEntry.Device
        var inode: UInt64
    }

    private final class Image {
        let file: FileDescriptor
        let identity: FileIdentity
        let table: UnwindTable?
        let size: Int
        var sites: [UInt64: Int] = [:]
        var lastUse: UInt64 = 0

        init(file: FileDescriptor, identity: FileIdentity, table: UnwindTable?, size: Int) {
            self.file = file
            self.identity = identity
            self.table = table
            self.size = size
        }

        var isUnchanged: Bool { FileIdentity(file.number) == identity }
    }

    private var images: [Key: Image] = [:]
    /// Images whose file could not be opened, with the ``clock`` at the last attempt.
    private var unavailable: [Key: UInt64] = [:]
    private var clock: UInt64 = 0
    /// After how many uses of the cache such an image is tried again.
    private static let retryAfter: UInt64 = 4096

    /// The distance from the stack pointer to the CFA, at an instruction that ends at `address` in a mapping of an
    /// image; 0 if it isn't known.
    ///
    /// - Parameters:
    ///   - isAfterSystemCall: whether the instruction is the system call that the thread is in.
    ///   - name: the mapping's name, called only when the image isn't cached yet.
    mutating func frameSize(
        at address: UInt64, in span: epitope_span, isAfterSystemCall: Bool, thread: pid_t, name: () -> String
    ) -> Int {
        guard span.inode != 0, address > span.start, address <= span.end else { return 0 }
        let key = Key(device: span.device, inode: span.inode)
        clock += 1
        var image = images[key]
        if let known = image, !known.isUnchanged {
            images[key] = nil
            image = nil
        }
        if image == nil {
            if let tried = unavailable[key], clock - tried < Self.retryAfter { return 0 }
            image = load(key, mappedAt: span, in: thread, named: name())
            if unavailable.count >= Self.maxSites { unavailable.removeAll() }
            unavailable[key] = image == nil ? clock : nil
        }
        guard let image, let table = image.table else { return 0 }
        image.lastUse = clock
        let place = span.offset &+ (address - 1 - span.start)
        if let size = image.sites[place] { return size }
        let size =
            table.layout.address(ofFileOffset: place).flatMap {
                isAfterSystemCall ? table.frameSize(afterSystemCallAt: $0) : table.frameSize(at: $0)
            } ?? 0
        if image.sites.count >= Self.maxSites { image.sites.removeAll(keepingCapacity: true) }
        image.sites[place] = size
        return size
    }

    private mutating func load(_ key: Key, mappedAt span: epitope_span, in thread: pid_t, named name: String) -> Image? {
        guard let file = try? FileDescriptor(taking: epitope_open_mapped_file(thread, span.start, span.end, name)),
            let status = try? file.status(), status.kind == .regular,
            // By its path another file might have been opened.
            Self.isFile(key, file, status.identity)
        else { return nil }
        let (table, size) = Self.read(file.number)
        let image = Image(file: file, identity: status.identity, table: table, size: size)
        while images.count >= Self.maxImages || images.values.reduce(size, { $0 + $1.size }) > Self.maxBytes,
            let oldest = images.min(by: { $0.value.lastUse < $1.value.lastUse })
        {
            images[oldest.key] = nil
        }
        images[key] = image
        return image
    }

    /// Whether an open file is the one that is mapped. Where its own state says another, a mapping of it must say the same:
    /// overlayfs, which containers' files lie on, and btrfs state one device for a file and another for its mappings.
    private static func isFile(_ key: Key, _ file: FileDescriptor, _ identity: FileIdentity) -> Bool {
        let device = MapEntry.Device(major: identity.deviceMajor, minor: identity.deviceMinor)
        if identity.inode == key.inode, device == key.device { return true }
        guard let mapped = MappedFileIdentity(file.number) else { return false }
        return mapped.inode == key.inode && MapEntry.Device(major: mapped.deviceMajor, minor: mapped.deviceMinor) == key.device
    }

    /// The tables of an open image with their size in bytes.
    static func read(_ descriptor: Int32) -> (UnwindTable?, Int) {
        guard let header = try? DescriptorIO.bytes(descriptor, at: 0, count: UnwindTable.maxHeaderSize),
            let layout = UnwindTable.layout(ofImage: header), let range = UnwindTable.range(of: layout),
            let offset = Int(exactly: range.offset),
            let tables = try? DescriptorIO.bytes(descriptor, at: offset, count: range.count)
        else { return (nil, 0) }
        return (UnwindTable(layout, tables), tables.count)
    }
}
