// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Glibc

/// Keeps commands beside a center from a store that is being moved: what they wrote to the file meanwhile would be lost.
///
/// A command holds it with the others for as long as it runs, and `move-store` alone. It ends with the process.
enum MoveLock {
    static let file = "move.lock"

    /// For a command. Where no lock can be had (a file system that has none, a folder that is not this user's) it goes on without.
    ///
    /// - Throws: `store-moving`.
    static func share(in directory: String) throws(EpitopeError) {
        try hold(LOCK_SH, in: directory, "the center's store is being moved", remedy: "give the command again when the move is done")
    }

    /// For `move-store`.
    ///
    /// - Throws: `store-moving`.
    static func takeAlone(in directory: String) throws(EpitopeError) {
        try hold(
            LOCK_EX, in: directory, "another command works with the center's store",
            remedy: "let it end (`backup`, `events`, ...), and give this one again")
    }

    /// The descriptor is left to the process.
    private static func hold(_ kind: Int32, in directory: String, _ message: String, remedy: String) throws(EpitopeError) {
        let descriptor = open("\(directory)/\(file)", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return }
        if flock(descriptor, kind | LOCK_NB) != 0, errno == EWOULDBLOCK {
            close(descriptor)
            throw EpitopeError(.storeMoving, "\(message): \(directory)", remedy: remedy)
        }
    }
}

extension EpitopeError.Code {
    /// A center's store is being moved, or can't be while others work with it.
    static let storeMoving = EpitopeError.Code("store-moving")
}
