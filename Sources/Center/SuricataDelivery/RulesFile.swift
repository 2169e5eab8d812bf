// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Glibc

/// The file with all of Epitope's rules. A reader finds either the old content or the new one, whole, also after a crash.
struct RulesFile: Sendable {
    let path: String

    private var folder: String { Folders.parent(of: path) }

    /// In bytes: some ten times the largest rule sets there are.
    private static let maxBytes = 256 << 20

    /// The content; `nil` when there is no such file yet.
    func read() -> String? {
        (try? FileDescriptor(path, O_RDONLY | O_NONBLOCK).read(maxBytes: Self.maxBytes)).map { String(decoding: $0, as: UTF8.self) }
    }

    /// Replaces the content: writes a new file beside the old one, syncs it to the disk, and renames it.
    ///
    /// The file gets mode 0644: Suricata may run as another user, and rules are not secret.
    func write(_ content: String) throws(EpitopeError) {
        try write(bytes: Array(content.utf8))
    }

    func write(bytes: [UInt8]) throws(EpitopeError) {
        do throws(FileError) {
            try AtomicFile.write(bytes, to: path, mode: 0o644)
        } catch {
            throw failure(error)
        }
    }

    private func failure(_ error: FileError) -> EpitopeError {
        switch error.number {
        case ENOSPC, EDQUOT:
            EpitopeError(
                .diskFull, "the disk is full: \(path) could not be written and keeps its old rules",
                remedy: "make room on that disk; the center tries again")
        default:
            EpitopeError(
                .rulesFolderUnwritable, "the rules file \(path) can't be written: \(error)",
                remedy: "create the folder \(folder), and let the center's user write to it")
        }
    }
}
