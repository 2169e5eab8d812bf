// SPDX-License-Identifier: Apache-2.0

import Crypto
import EpitopeModel
import Foundation

/// The SHA-256 of an open file.
package enum FileHash {
    /// 64 hexadecimal digits; `nil` if the file can't be read, is longer than `most` bytes, or changed while it was read.
    package static func sha256(_ descriptor: Int32, most: Int64 = ProcessContextCollector.maxHashedSize) -> String? {
        guard let identity = FileIdentity(descriptor), identity.size <= most else { return nil }
        var sha256 = SHA256()
        var chunk = [UInt8](repeating: 0, count: 1 << 18)
        var offset: off_t = 0
        while offset <= identity.size {
            let count = pread(descriptor, &chunk, chunk.count, offset)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { return nil }
            if count == 0 { break }
            chunk.withUnsafeBytes { sha256.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            offset += off_t(count)
        }
        // A file that changed while it was read has no hash to report.
        guard FileIdentity(descriptor) == identity else { return nil }
        return Hex.encode(sha256.finalize())
    }
}
