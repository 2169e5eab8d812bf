// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import FileAccess

extension ExclusionTarget.FileState {
    /// A file as the kernel program sees the file of a process's image; `nil` for what is not a regular file that can be read.
    init?(_ file: FileDescriptor) {
        guard let status = try? file.status(), status.kind == .regular, let mapped = MappedFileIdentity(file.number) else { return nil }
        self.init(
            device: mapped.deviceMajor << 20 | mapped.deviceMinor, inode: mapped.inode,
            changedSeconds: status.identity.changed.seconds, changedNanoseconds: status.identity.changed.nanoseconds)
    }
}
