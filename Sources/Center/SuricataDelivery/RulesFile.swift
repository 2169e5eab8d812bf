// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Glibc

/// The file with all of Epitope's rules. A reader finds either the old content or the new one, whole, also after a crash.
struct RulesFile: Sendable {
    let path: String

    private var folder: String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// The content; `nil` when there is no such file yet.
    func read() -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var content: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = Glibc.read(descriptor, &piece, piece.count)
            if count > 0 { content += piece[..<count] } else if count == 0 || errno != EINTR { break }
        }
        return String(decoding: content, as: UTF8.self)
    }

    /// Replaces the content: writes a new file beside the old one, syncs it to the disk, and renames it.
    ///
    /// The file gets mode 0644: Suricata may run as another user, and rules are no secret.
    func write(_ content: String) throws(EpitopeError) {
        let scratch = "\(path).\(getpid()).new"
        let descriptor = open(scratch, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o644)
        guard descriptor >= 0 else { throw failure(errno) }
        let written = Self.writeAll(content, to: descriptor)
        close(descriptor)
        guard written == 0 else {
            unlink(scratch)
            throw failure(written)
        }
        guard rename(scratch, path) == 0 else {
            let error = errno
            unlink(scratch)
            throw failure(error)
        }
        // The rename is on the disk only when the folder is synced.
        let folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw failure(errno) }
        defer { close(folder) }
        guard fsync(folder) == 0 || errno == EINVAL else { throw failure(errno) }
    }

    /// - Returns: 0, or the number of the error.
    private static func writeAll(_ content: String, to descriptor: Int32) -> Int32 {
        var rest = Array(content.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 { rest = rest.dropFirst(count) } else if errno != EINTR { return errno }
        }
        guard fchmod(descriptor, 0o644) == 0, fsync(descriptor) == 0 else { return errno }
        return 0
    }

    private func failure(_ error: Int32) -> EpitopeError {
        switch error {
        case ENOSPC, EDQUOT:
            EpitopeError(
                .diskFull, "the disk is full: \(path) could not be written and keeps its old rules",
                remedy: "make room on that disk; the center tries again")
        default:
            EpitopeError(
                .rulesFolderUnwritable, "the rules file \(path) can't be written: \(String(cString: strerror(error)))",
                remedy: "create the folder \(folder), and let the center's user write to it")
        }
    }
}
