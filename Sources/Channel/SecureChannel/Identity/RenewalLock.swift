// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Keeps two programs that share an identity from renewing it at once. Where the lock's file can't be made, such as on a full
/// disk, each goes ahead: a certificate more does no harm.
final class RenewalLock: Sendable {
    private let descriptor: Int32
    /// Whether this program may renew.
    let isHeld: Bool

    init(in directory: String) {
        descriptor = open("\(directory)/renewal.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        isHeld = descriptor < 0 || flock(descriptor, LOCK_EX | LOCK_NB) == 0
    }

    /// The lock also ends with its value.
    func release() {
        if descriptor >= 0 { flock(descriptor, LOCK_UN) }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }
}
