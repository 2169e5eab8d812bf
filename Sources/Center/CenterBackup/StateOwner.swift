// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Glibc

/// Whose a center's state folder is. Where root restores a center into a folder that is another user's, as systemd makes it for the
/// unit, what comes into it is that user's, too.
public enum StateOwner {
    /// Gives a folder's owner what is in it, and in the folders in it, if this is root. What can't be given is left: the center says so.
    public static func giveContents(of folder: String) {
        guard geteuid() == 0, let opened = try? FileDescriptor(folder, O_RDONLY | O_DIRECTORY), let owner = try? opened.status().owner,
            owner != 0
        else { return }
        give(opened, to: owner, depth: 1)
    }

    /// Links are followed nowhere: the owner, who may put some there, is not root.
    private static func give(_ folder: FileDescriptor, to owner: UInt32, depth: Int) {
        for name in (try? Folders.names(folder.path)) ?? [] {
            // Its group stays: nobody in it has any right to what is there.
            fchownat(folder.number, name, owner, gid_t.max, AT_SYMLINK_NOFOLLOW)
            if depth > 0, let inner = try? FileDescriptor("\(folder.path)/\(name)", O_RDONLY | O_DIRECTORY | O_NOFOLLOW) {
                give(inner, to: owner, depth: depth - 1)
            }
        }
    }
}
