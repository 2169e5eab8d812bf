// SPDX-License-Identifier: Apache-2.0

import CProcessFiles
import Glibc

/// A file that is looked at but not opened: what was looked at can then be opened, and nothing else.
struct SeenFile: ~Copyable {
    fileprivate let handle: Int32
    let inode: UInt64
    let device: MapEntry.Device
    let size: Int
    /// How many names it has in its file system; 0: a memory file, or one that was removed.
    let links: UInt32
    private let mount: UInt64

    /// `nil` for what isn't there, or is no regular file.
    init?(_ path: String) {
        var facts = epitope_file_facts()
        let handle = epitope_file_handle(path, &facts)
        guard handle >= 0 else { return nil }
        guard facts.mode & S_IFMT == S_IFREG, let size = Int(exactly: facts.size) else {
            close(handle)
            return nil
        }
        self.handle = handle
        inode = facts.inode
        device = MapEntry.Device(major: facts.device_major, minor: facts.device_minor)
        self.size = size
        links = facts.links
        mount = facts.mount
    }

    deinit { close(handle) }

    /// Whether it has a name on a file system with a disk behind it.
    ///
    /// - Parameter mounts: the path of the mountinfo that knows its mount.
    func isOnDisk(mounts: String) -> Bool {
        guard links > 0, mount != 0, let text = Self.text(mounts, most: 1 << 20),
            let type = SealedCopy.fileSystem(ofMount: mount, inMountInfo: text)
        else { return false }
        return SealedCopy.diskFileSystems.contains(type)
    }

    /// A file of `/proc`, at most so much of it.
    static func text(_ path: String, most: Int) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var room = [UInt8](repeating: 0, count: 16 << 10)
        while bytes.count < most {
            let count = read(descriptor, &room, min(room.count, most - bytes.count))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            bytes += room[..<count]
        }
        return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
    }
}

/// A file that was looked at, open for reading.
struct OpenFile: ~Copyable {
    private let descriptor: Int32

    init?(_ file: borrowing SeenFile) {
        descriptor = open("/proc/self/fd/\(file.handle)", O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard descriptor >= 0 else { return nil }
    }

    deinit { close(descriptor) }

    /// Whether nobody can write it, now or later: F_GET_SEALS says F_SEAL_SHRINK, F_SEAL_GROW and F_SEAL_WRITE
    /// (`linux/fcntl.h`).
    var isSealed: Bool {
        let seals = fcntl(descriptor, 1034)
        let wanted: Int32 = 0x2 | 0x4 | 0x8
        return seals >= 0 && seals & wanted == wanted
    }

    /// Whether the first bytes of both are the same.
    func hasSameBytes(as other: borrowing OpenFile, count total: Int) -> Bool {
        let chunk = 256 << 10
        return withUnsafeTemporaryAllocation(byteCount: 2 * chunk, alignment: 16) { room in
            guard let mine = room.baseAddress else { return false }
            let others = mine + chunk
            var offset = 0
            while offset < total {
                let count = min(chunk, total - offset)
                guard Self.read(descriptor, mine, count, offset), Self.read(other.descriptor, others, count, offset),
                    memcmp(mine, others, count) == 0
                else { return false }
                offset += count
            }
            return true
        }
    }

    private static func read(_ descriptor: Int32, _ room: UnsafeMutableRawPointer, _ count: Int, _ offset: Int) -> Bool {
        var done = 0
        while done < count {
            let got = pread(descriptor, room + done, count - done, off_t(offset + done))
            if got < 0, errno == EINTR { continue }
            guard got > 0 else { return false }
            done += got
        }
        return true
    }
}
