// SPDX-License-Identifier: Apache-2.0

package import FileAccess

/// A regular file of the corpus in one state: a file that changed differs in at least one property.
package struct CorpusFile: Hashable, Sendable {
    package var path: RawPath
    package var size: UInt64
    /// In nanoseconds since 1970.
    package var modified: Int64
    package var device: UInt64
    package var inode: UInt64

    package init(path: RawPath, size: UInt64, modified: Int64, device: UInt64, inode: UInt64) {
        self.path = path
        self.size = size
        self.modified = modified
        self.device = device
        self.inode = inode
    }

    /// `nil` if it is not a regular file.
    package init?(_ path: String) {
        guard let status = try? FileStatus(path: path, followLinks: false), status.kind == .regular else { return nil }
        self.init(path: RawPath(path), status.identity)
    }

    package init(path: RawPath, _ identity: FileIdentity) {
        self.init(
            path: path, size: UInt64(identity.size),
            modified: identity.modified.seconds &* 1_000_000_000 &+ identity.modified.nanoseconds,
            device: identity.device, inode: identity.inode)
    }
}
