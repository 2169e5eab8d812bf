// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import EpitopeModel
import FileAccess
import Glibc
import ProcessInspection
import UnwindTables

/// Finds out what is known of the file behind a mapping. Asked only of files that changed since the processes began, and of
/// shared mappings: the others are plain images.
struct MappedFileReader {
    let thread: pid_t
    let since: WatchStart
    let memory: ProcessMemory
    let space: AddressSpace

    /// - Parameter image: the file; `nil` if it can't be opened.
    func file(of entry: MapEntry, _ image: CodeImage?) -> MappedFile {
        var file = MappedFile(path: entry.name)
        file.isShared = entry.protection.contains(.shared)
        file.isNamed = image.map { $0.links > 0 } ?? !entry.name.hasSuffix(Self.deleted)
        // The name that the kernel gives a file without one: its number.
        file.wasNeverNamed = !file.isNamed && entry.name.hasSuffix("/#\(entry.inode)\(Self.deleted)")
        if file.isShared { file.isWritable = entry.protection.contains(.write) || canBecomeWritable(entry) }
        guard let image else {
            file.isDevice = isDevice(entry)
            // Only an unprivileged supervisor can't open it, and only once it is unlinked.
            file.isChanged = !file.isNamed
            file.isWritten = !file.isNamed
            file.isImage = beginsAsImage(entry)
            return file
        }
        file.isChanged = since.isBefore(image.identity.changed)
        guard file.isShared || file.isChanged || file.wasNeverNamed else { return file }
        file.isOpenForWriting = isOpenForWriting(image)
        file.isWritten = isWritten(image)
        file.isImage = image.headers?.isCode(fileOffset: entry.offset) ?? false
        file.isProgram = !file.wasNeverNamed && isProgram(entry)
        file.isReplaced = !file.isNamed && !file.wasNeverNamed && isReplaced(entry)
        return file
    }

    private static let deleted = " (deleted)"

    /// Whether a regular file has the name of one that lost it, where the process or this program sees it.
    private func isReplaced(_ entry: MapEntry) -> Bool {
        let name = entry.name.hasSuffix(Self.deleted) ? String(entry.name.dropLast(Self.deleted.count)) : entry.name
        guard name.hasPrefix("/") else { return false }
        let root = "/proc/\(thread)/root"
        // The name may begin with the folder that the process has as its root.
        let inner = ProcFS.link(root).flatMap { name.hasPrefix($0 + "/") ? String(name.dropFirst($0.utf8.count)) : nil }
        return [root + (inner ?? name), name].contains { path in
            (try? FileStatus(path: path))?.kind == .regular
        }
    }

    /// Whether a mapping's name leads to its file, as the process sees it, and that is none that could hold an image.
    private func isDevice(_ entry: MapEntry) -> Bool {
        guard entry.name.hasPrefix("/"), let status = try? FileStatus(path: "/proc/\(thread)/root\(entry.name)") else { return false }
        return status.identity.inode == entry.inode && status.kind != .regular
    }

    private func isWritten(_ image: CodeImage) -> Bool {
        if since.isBefore(image.identity.modified) { return true }
        var birth = FileIdentity.Time(seconds: 0, nanoseconds: 0)
        var nanoseconds: UInt32 = 0
        // A file's owner can set back the time of its last write; nobody can set when it was made.
        guard epitope_birth_time(image.file.number, &birth.seconds, &nanoseconds) == 0 else { return false }
        birth.nanoseconds = Int64(nanoseconds)
        return since.isBefore(birth)
    }

    private func isOpenForWriting(_ image: CodeImage) -> Bool {
        let answer = epitope_is_open_for_writing(image.file.number)
        return answer >= 0 ? answer == 1 : hasDescriptorForWriting(of: image)
    }

    /// Whether the process itself has it open for writing: asked where the file system can't be.
    private func hasDescriptorForWriting(of image: CodeImage) -> Bool {
        guard let folder = opendir("/proc/\(thread)/fdinfo") else { return true }
        defer { closedir(folder) }
        while let item = readdir(folder) {
            let name = withUnsafeBytes(of: &item.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            guard let status = try? FileStatus(path: "/proc/\(thread)/fd/\(name)"), status.identity.inode == image.identity.inode,
                status.identity.device == image.identity.device, let text = ProcFS.text("/proc/\(thread)/fdinfo/\(name)", maxBytes: 4096),
                let flags = text.split(separator: "\n").first(where: { $0.hasPrefix("flags:") })?.split(separator: "\t").last
            else { continue }
            if Int32(flags, radix: 8).map({ $0 & O_ACCMODE != O_RDONLY }) ?? true { return true }
        }
        return false
    }

    private func isProgram(_ entry: MapEntry) -> Bool {
        guard let handle = try? PathHandle("/proc/\(thread)/exe"), let facts = try? handle.facts() else { return false }
        return facts.inode == entry.inode && MapEntry.Device(major: facts.deviceMajor, minor: facts.deviceMinor) == entry.device
    }

    /// Whether a shared mapping could be made writable: its file was opened for writing (`mw` of /proc/PID/smaps).
    private func canBecomeWritable(_ entry: MapEntry) -> Bool {
        guard let text = ProcFS.text(of: thread, "smaps") else { return true }
        let start = String(entry.start, radix: 16)
        var isHere = false
        for line in text.split(separator: "\n") {
            if line.hasPrefix("VmFlags:") {
                if isHere { return line.split(separator: " ").contains("mw") }
            } else if line.contains("-"), let first = line.split(separator: "-", maxSplits: 1).first, first.allSatisfy(\.isHexDigit) {
                isHere = first.drop { $0 == "0" } == start
            }
        }
        return true
    }

    /// Whether the file begins as an image does, as far as the process has mapped that: a supervisor without rights can't
    /// open a file that has no name any more.
    private func beginsAsImage(_ entry: MapEntry) -> Bool {
        var first = entry
        while first.offset > 0, let before = space.entry(before: first), before.isSameImage(as: entry), before.offset < first.offset {
            first = before
        }
        guard first.offset == 0, let headers = ImageHeaders(ofImage: memory.read(first.start, UnwindTable.maxHeaderSize)) else {
            return false
        }
        return headers.isCode(fileOffset: entry.offset)
    }
}
