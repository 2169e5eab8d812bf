// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Files that belong to somebody else: read where they are regular files, and so far.
public enum RegularFile {
    /// O_PATH of fcntl.h on x86 and arm64, which Swift does not import.
    private static let pathOnly: Int32 = 0o10000000

    /// The first `most` bytes; `nil` where there is no regular file. Anything else is not opened: a device would be set going.
    /// It may take as long as whoever serves the file's file system likes (``BoundedWork``).
    public static func bytes(_ path: String, most: Int) -> [UInt8]? {
        let found = open(path, pathOnly | O_CLOEXEC)
        guard found >= 0 else { return nil }
        defer { close(found) }
        var status = stat()
        guard fstat(found, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        let descriptor = open("/proc/self/fd/\(found)", O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: min(most, 1 << 20))
        while content.count < most {
            let count = read(descriptor, &chunk, min(chunk.count, most - content.count))
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { break }
            content += chunk[..<count]
        }
        return content
    }
}
