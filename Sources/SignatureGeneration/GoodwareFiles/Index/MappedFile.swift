// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A file mapped for reading. It is never written in place: a new index replaces the name, and the mapping keeps the
/// old one until it is released.
final class MappedFile: @unchecked Sendable {
    // Sendable: the mapping is read-only and lasts as long as this object.
    let bytes: UnsafeRawBufferPointer

    /// `nil` when it can't be opened or mapped; `errno` tells why.
    init?(_ path: String) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        guard status.st_size > 0 else {
            bytes = UnsafeRawBufferPointer(start: nil, count: 0)
            return
        }
        guard let base = mmap(nil, Int(status.st_size), PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED else { return nil }
        bytes = UnsafeRawBufferPointer(start: base, count: Int(status.st_size))
    }

    deinit {
        if let base = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: base), bytes.count) }
    }
}
