// SPDX-License-Identifier: Apache-2.0

/// Whether a folder on the way to the agent's files can be relied on: nobody but root and the agent's own user may put
/// something else in its place, or in it.
struct FolderTrust: Hashable, Sendable {
    var owner: UInt32
    /// Permission bits, with the sticky bit.
    var mode: UInt32
    /// The folder that the agent's files lie in, not one above it.
    var isLast: Bool

    enum Fault: Hashable, Sendable {
        case foreignOwner(UInt32)
        case writableByOthers(UInt32)
    }

    /// What is wrong with it; `nil`: nothing.
    ///
    /// - Parameter user: whom the agent runs as.
    func fault(user: UInt32) -> Fault? {
        guard owner == 0 || owner == user else { return .foreignOwner(owner) }
        // In a folder with the sticky bit, such as /tmp, others may not rename or remove what isn't theirs.
        let othersMayWrite = mode & 0o022 != 0
        if othersMayWrite && (isLast || mode & 0o1000 == 0) { return .writableByOthers(mode) }
        return nil
    }
}
