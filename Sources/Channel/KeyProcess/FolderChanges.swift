// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Tells that a file of a folder was replaced, or written anew, to a process that can open no file any more (inotify(7)).
final class FolderChanges {
    /// Readable once something has changed.
    let descriptor: Int32

    /// - Returns: `nil` where the system can't tell.
    init?(of folder: String) {
        descriptor = inotify_init1(Int32(IN_CLOEXEC))
        guard descriptor >= 0 else { return nil }
        // Files are replaced by others of their names (AtomicFile). Who copies them from another machine of the center writes into those that
        // are there.
        guard inotify_add_watch(descriptor, folder, UInt32(IN_MOVED_TO) | UInt32(IN_CLOSE_WRITE)) >= 0 else {
            close(descriptor)
            return nil
        }
    }

    deinit { close(descriptor) }
}
