// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Reads of `/proc` and of other files that belong to somebody else: bounded, never blocking, `nil` when it can't be.
enum SystemFiles {
    /// O_PATH of fcntl.h on x86 and arm64, which Swift does not import.
    static let pathOnly: Int32 = 0o10000000

    /// The first `most` bytes of a regular file.
    static func read(_ path: String, most: Int = 65536, followLinks: Bool = true) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | (followLinks ? 0 : O_NOFOLLOW))
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return read(descriptor, most: most)
    }

    static func read(_ descriptor: Int32, most: Int) -> [UInt8]? {
        // A pipe or device in place of the file could block for ever, or never end.
        guard isRegular(descriptor) else { return nil }
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: min(most, 65536))
        while content.count < most {
            let count = pread(descriptor, &chunk, min(chunk.count, most - content.count), off_t(content.count))
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { break }
            content += chunk[..<count]
        }
        return content
    }

    static func isRegular(_ descriptor: Int32) -> Bool {
        var status = stat()
        return fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
    }

    static func text(_ path: String, most: Int = 65536, followLinks: Bool = true) -> String? {
        read(path, most: most, followLinks: followLinks).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The whole of a regular file below a folder, at most so many bytes of it. Below the folder no link is followed, so
    /// that whoever may write there leads nowhere else; the folder's own path may have links: it is the administrator's.
    static func read(in folder: String, _ names: [String], most: Int) -> [UInt8]? {
        var current = open(folder, pathOnly | O_DIRECTORY | O_CLOEXEC)
        for (index, name) in names.enumerated() {
            guard current >= 0 else { return nil }
            let folder = current
            defer { close(folder) }
            guard !name.isEmpty, name != ".", name != "..", !name.utf8.contains(UInt8(ascii: "/")) else { return nil }
            let isLast = index == names.count - 1
            let next = openat(folder, name, O_CLOEXEC | O_NOFOLLOW | (isLast ? O_RDONLY | O_NONBLOCK : pathOnly | O_DIRECTORY))
            if isLast {
                guard next >= 0 else { return nil }
                defer { close(next) }
                // One byte more tells a file that is too long: half of it would be read as something else.
                guard let bytes = read(next, most: most + 1), bytes.count <= most else { return nil }
                return bytes
            }
            current = next
        }
        if current >= 0 { close(current) }
        return nil
    }

    static func link(_ path: String) -> String? {
        var buffer = [CChar](repeating: 0, count: 4096)
        let count = readlink(path, &buffer, buffer.count)
        guard count > 0 else { return nil }
        return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The names in a folder, at most so many.
    static func names(_ path: String, most: Int) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while names.count < most, let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names
    }
}

/// What tells one state of a file from another: a changed file has another identity.
struct FileIdentity: Hashable, Sendable {
    var device: UInt64
    var inode: UInt64
    var size: Int64
    var modifiedSeconds: Int64
    var modifiedNanoseconds: Int64

    init?(_ descriptor: Int32) {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { return nil }
        self.init(status)
    }

    init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    private init(_ status: stat) {
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        modifiedSeconds = Int64(status.st_mtim.tv_sec)
        modifiedNanoseconds = Int64(status.st_mtim.tv_nsec)
    }
}

/// An open file that is closed with the last who knows it.
final class OpenFile: Sendable {
    let descriptor: Int32

    init?(_ path: String, flags: Int32) {
        descriptor = open(path, flags | O_CLOEXEC | O_NONBLOCK)
        if descriptor < 0 { return nil }
    }

    /// Takes over a descriptor; a negative one is none.
    init?(descriptor: Int32) {
        guard descriptor >= 0 else { return nil }
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)
    }

    /// A path that leads to this file, whatever has become of its name.
    var path: String { "/proc/self/fd/\(descriptor)" }
}
