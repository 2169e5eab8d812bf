// SPDX-License-Identifier: Apache-2.0

import Crypto
import EpitopeModel
import FileAccess

/// The SHA-256 of an open file.
package enum FileHash {
    /// 64 hexadecimal digits; `nil` if the file can't be read, is longer than `maxBytes`, or was written while it was read. It may
    /// be renamed or removed meanwhile, as programs do with their own file.
    package static func sha256(_ descriptor: Int32, maxBytes: Int64 = ProcessContextCollector.maxHashedSize) -> String? {
        guard let identity = FileIdentity(descriptor), identity.size <= maxBytes else { return nil }
        var sha256 = SHA256()
        var chunk = [UInt8](repeating: 0, count: 1 << 18)
        var offset = 0
        while offset <= identity.size {
            let count = chunk.withUnsafeMutableBytes { try? DescriptorIO.read(descriptor, into: $0, at: offset) }
            guard let count else { return nil }
            if count == 0 { break }
            chunk.withUnsafeBytes { sha256.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            offset += count
        }
        guard let after = FileIdentity(descriptor), after.hasContent(of: identity) else { return nil }
        return Hex.encode(sha256.finalize())
    }
}
