// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Glibc

/// Keeps a center's state folder for one process that serves, of one kind: two would each have clusters in memory of their own,
/// and take turns with the rules of one IDS. Commands beside it (`status`, `withdraw`) need no lock.
///
/// The lock ends with the process, however that ends.
final class StateFolderLock: Sendable {
    private let descriptor: Int32
    static let file = "serve.lock"

    /// - Parameter kind: the center's kind, which the folder is for from now on.
    /// - Throws: `center-running`, `state-of-another-kind`. Where no lock can be had (a file system that has none, a disk that is
    ///   full or read-only) the center starts without.
    init(in directory: String, kind: String) throws(EpitopeError) {
        let path = "\(directory)/\(Self.file)"
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return }
        if flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK {
            throw EpitopeError(
                .centerRunning, "another process serves from \(directory) already",
                remedy: "end that one first, or give this one a state folder of its own (--state)")
        }
        guard try !Self.isNamed(descriptor, kind, in: directory) else { return }
        let bytes = Array((kind + "\n").utf8)
        _ = bytes.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
    }

    /// Makes sure that a folder is not that of a center of another kind.
    ///
    /// - Throws: `state-of-another-kind`.
    static func requireKind(_ kind: String, in directory: String) throws(EpitopeError) {
        let descriptor = open("\(directory)/\(file)", O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        _ = try isNamed(descriptor, kind, in: directory)
    }

    /// Whether the folder's kind is written down. One of an earlier version has none until a center serves from it.
    private static func isNamed(_ descriptor: Int32, _ kind: String, in directory: String) throws(EpitopeError) -> Bool {
        var found = [UInt8](repeating: 0, count: 64)
        let count = found.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, 0) }
        let name = String(decoding: found.prefix(max(0, count)), as: UTF8.self).filter { !$0.isWhitespace }
        guard name.isEmpty || name == kind else {
            throw EpitopeError(
                .stateOfAnotherKind, "\(directory) is the state folder of a \(name)",
                remedy: "use `epitope \(name)` with it, or make a folder for this center with `epitope \(kind) init`")
        }
        return !name.isEmpty
    }

    /// Whether a process serves from a folder.
    static func isHeld(in directory: String) -> Bool {
        let descriptor = open("\(directory)/\(file)", O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }
}

extension EpitopeError.Code {
    /// Another process serves from the same state folder.
    static let centerRunning = EpitopeError.Code("center-running")
    /// The state folder is that of a center of the other kind.
    static let stateOfAnotherKind = EpitopeError.Code("state-of-another-kind")
}
