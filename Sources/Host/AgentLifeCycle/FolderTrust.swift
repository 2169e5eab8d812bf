// SPDX-License-Identifier: Apache-2.0

/// Whether a folder on the path to the agent's files can be trusted: only root and the agent's own user may replace it, or create files in
/// it.
struct FolderTrust: Hashable, Sendable {
    var owner: UInt32
    /// Permission bits, with the sticky bit.
    var mode: UInt32
    /// The folder that contains the agent's files, not one above it.
    var isLast: Bool

    enum Fault: Hashable, Sendable {
        case foreignOwner(UInt32)
        case writableByOthers(UInt32)
    }

    /// Why it can't be trusted; `nil` if it can.
    ///
    /// - Parameter user: the user that the agent runs as.
    func fault(user: UInt32) -> Fault? {
        guard owner == 0 || owner == user else { return .foreignOwner(owner) }
        // In a folder with the sticky bit, such as /tmp, users can't rename or remove files of others.
        let othersMayWrite = mode & 0o022 != 0
        if othersMayWrite && (isLast || mode & 0o1000 == 0) { return .writableByOthers(mode) }
        return nil
    }
}
