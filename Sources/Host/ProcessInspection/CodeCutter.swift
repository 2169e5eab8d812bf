// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import FileAccess
import Glibc

/// Overwrites code in a process from outside, while somebody holds the process.
///
/// Private memory is written through `/proc/PID/mem`, whatever its rights: the process gets pages of its own. The kernel does the same for
/// shared memory only where the mapping is writable. Else its file is written: as the mapping's own link leads to it (`map_files`), or by a
/// copy of a descriptor of the process's. Never one that the process itself may not write, since then others rely on its content, and
/// code could have it destroyed by making a call from it; and never a file on a
/// disk. A System V segment is the process's to write where it is its user's, however it is attached.
public struct CodeCutter: Sendable {
    private let process: Int32

    /// - Parameter process: a process, or a thread of it.
    public init(process: Int32) { self.process = process }

    /// Overwrites a range of a region.
    ///
    /// - Parameters:
    ///   - start: the first address.
    ///   - count: in bytes; the range lies in the region.
    ///   - byte: what is written throughout.
    /// - Returns: `nil`: the region is an image's, from which nothing is cut.
    public func overwrite(_ start: UInt64, _ count: Int, in region: MemoryRegion, with byte: UInt8) -> CodeCut? {
        guard region.backing.isUnbacked else { return nil }
        if region.protection.contains(.shared), case .writtenFile = region.backing { return .failed(.file) }
        let bytes = [UInt8](repeating: byte, count: count)
        let memory: FileDescriptor
        do throws(FileError) {
            memory = try FileDescriptor("/proc/\(process)/mem", O_RDWR)
        } catch {
            return .failed(kill(process, 0) != 0 && errno == ESRCH ? .ended : .refused)
        }
        if Self.write(bytes, to: memory.number, at: start) { return .done }
        // Of a file that was opened for reading alone the kernel doesn't count a mapping as shared; its list does.
        guard let mapping = SharedMapping(of: process, at: start) else { return .failed(.refused) }
        if let failure = write(bytes, at: start, to: mapping) { return .failed(failure) }
        // Whatever was written: what counts is what the process has there.
        return Self.read(count, from: memory.number, at: start) == bytes ? .done : .failed(.refused)
    }

    /// Writes to the file behind a shared mapping.
    private func write(_ bytes: [UInt8], at start: UInt64, to mapping: SharedMapping) -> CodeCut.Failure? {
        guard start + UInt64(bytes.count) <= mapping.entry.end else { return .refused }
        guard mapping.mayBeWritten || mapping.isSegment else { return .sharedReadOnly }
        let place = mapping.entry.offset + (start - mapping.entry.start)
        let found = fileOfMapping(mapping.entry)
        // A segment can be attached anew for writing, by its owner.
        if !mapping.mayBeWritten, let found, !isOwner(of: found) { return .sharedReadOnly }
        if let file = found, Self.write(bytes, to: file.number, at: place) { return nil }
        guard mapping.mayBeWritten, let file = ownDescriptor(of: mapping.entry) else { return .sharedUnreachable }
        return Self.write(bytes, to: file.number, at: place) ? nil : .refused
    }

    /// By the mapping's link, which leads to files without names, too. It needs CAP_CHECKPOINT_RESTORE.
    private func fileOfMapping(_ entry: MapEntry) -> FileDescriptor? {
        let link = "/proc/\(process)/map_files/\(String(entry.start, radix: 16))-\(String(entry.end, radix: 16))"
        guard let handle = try? PathHandle(link), Self.isOf(entry, handle) else { return nil }
        // The handle's, so that what is opened is what was looked at.
        return try? FileDescriptor(handle.path, O_WRONLY | O_NONBLOCK | O_NOCTTY)
    }

    /// A copy of a descriptor by which the process can write the file.
    private func ownDescriptor(of entry: MapEntry) -> FileDescriptor? {
        guard let folder = opendir("/proc/\(process)/fd") else { return nil }
        defer { closedir(folder) }
        guard let handle = ProcessDescriptors(of: leader) else { return nil }
        var seen = 0
        while seen < Self.maxDescriptors, let item = readdir(folder) {
            seen += 1
            let name = withUnsafePointer(to: &item.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard let number = Int32(name), let path = try? PathHandle("/proc/\(process)/fd/\(name)"), Self.isOf(entry, path),
                let copy = handle.copy(number), let status = try? copy.status(), status.kind == .regular,
                status.identity.inode == entry.inode
            else { continue }
            let flags = fcntl(copy.number, F_GETFL)
            // With O_APPEND the place would not count.
            if flags >= 0, flags & O_ACCMODE != O_RDONLY, flags & O_APPEND == 0 { return copy }
        }
        return nil
    }

    /// Whether a file belongs to the user by whose rights the process opens files.
    private func isOwner(of file: FileDescriptor) -> Bool {
        let lines = ProcFS.text("/proc/\(process)/status")?.split(separator: "\n") ?? []
        // Real, effective, saved, and that of files.
        guard let fields = lines.first(where: { $0.hasPrefix("Uid:") })?.split(whereSeparator: { $0 == "\t" || $0 == " " }),
            fields.count == 5,
            let user = UInt32(fields[4]), let status = try? file.status()
        else { return false }
        return status.owner == user
    }

    /// The process of a thread: a handle is of a process.
    private var leader: Int32 {
        let lines = ProcFS.text("/proc/\(process)/status")?.split(separator: "\n") ?? []
        guard let line = lines.first(where: { $0.hasPrefix("Tgid:") }) else { return process }
        return Int32(line.dropFirst("Tgid:".count).drop { $0 == "\t" || $0 == " " }) ?? process
    }

    /// How many descriptors of a process are looked at.
    private static let maxDescriptors = 4096

    private static func isOf(_ entry: MapEntry, _ handle: PathHandle) -> Bool {
        guard let facts = try? handle.facts() else { return false }
        // A file with a name is none of memory, whatever the mapping was when the call was inspected.
        return facts.isRegular && facts.links == 0 && facts.inode == entry.inode && facts.deviceMajor == entry.device.major
            && facts.deviceMinor == entry.device.minor
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32, at place: UInt64) -> Bool {
        bytes.withUnsafeBytes { buffer in
            var done = 0
            while done < buffer.count {
                let count = pwrite(
                    descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(truncatingIfNeeded: place + UInt64(done)))
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return false }
                done += count
            }
            return true
        }
    }

    private static func read(_ count: Int, from descriptor: Int32, at place: UInt64) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            initialized = max(0, pread(descriptor, buffer.baseAddress, count, off_t(truncatingIfNeeded: place)))
        }
    }
}

/// A mapping, and whether its process may write it, or have it be writable (`VmFlags` of proc_pid_smaps(5)).
private struct SharedMapping {
    var entry: MapEntry
    var mayBeWritten: Bool
    /// A segment of System V's: it may be attached for reading alone by who may write it.
    var isSegment: Bool { entry.name.hasPrefix("/SYSV") }

    /// The longest list of mappings that is read, in bytes.
    private static let maxBytes = 32 << 20

    /// - Returns: `nil` where no shared mapping has the address, or nothing can be read. There is a file behind each, of inode 0, too: a segment's
    ///   inode is its number.
    init?(of process: Int32, at address: UInt64) {
        guard let text = ProcFS.text("/proc/\(process)/smaps", maxBytes: Self.maxBytes) else { return nil }
        var found: MapEntry?
        for line in text.split(separator: "\n") {
            if let entry = found {
                guard line.hasPrefix("VmFlags:") else { continue }
                self.entry = entry
                mayBeWritten = line.split(separator: " ").contains("mw")
                return
            }
            // A mapping's first line begins with its addresses, every other one with a name in capitals.
            guard let first = line.utf8.first, first < UInt8(ascii: "A") || first > UInt8(ascii: "Z"), let entry = MapEntry(line: line),
                entry.contains(address), entry.protection.contains(.shared)
            else { continue }
            found = entry
        }
        return nil
    }
}
