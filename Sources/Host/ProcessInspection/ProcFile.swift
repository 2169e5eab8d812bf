// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Files that the kernel makes up while they are read (`/proc`, `/sys`): they state no size, and a read gives a page or
/// so. What takes a short read for the end (Foundation's readers do) loses the rest.
public enum ProcFile {
    /// The most that is read: no such file comes near.
    static let most = 64 << 20

    /// The whole file as text; `nil` when it can't be opened or read.
    public static func text(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while content.count < most {
            let count = read(descriptor, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { break }
            content += chunk[..<count]
        }
        return String(decoding: content, as: UTF8.self)
    }
}
