// SPDX-License-Identifier: Apache-2.0

import CProcessFiles
import FileAccess

/// The descriptors of a process, through a handle of it: what is copied is never another process's, which has its number by then.
struct ProcessDescriptors {
    private let handle: FileDescriptor

    /// - Returns: `nil` where there is no such process.
    init?(of process: Int32) {
        guard let handle = try? FileDescriptor(taking: epitope_process_handle(process)) else { return nil }
        self.handle = handle
    }

    /// A copy of a descriptor, with the rights that it has. It needs the right to trace the process.
    func copy(_ number: Int32) -> FileDescriptor? { try? FileDescriptor(taking: epitope_pidfd_getfd(handle.number, number)) }
}
