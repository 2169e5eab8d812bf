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

    /// The content of a file that is this center's, or nobody's: empty when there is none yet.
    ///
    /// - Parameter settings: with this center's name in the file.
    /// - Throws: `rules-file-foreign`, also for a file that can't be read: it may be anybody's.
    func readOwn(_ settings: SuricataSettings) throws(EpitopeError) -> String {
        let found: String
        guard let text = read() else {
            guard access(path, F_OK) == 0 else { return "" }
            throw foreign("something that this center can't read")
        }
        switch RulesFileOwner(of: text) {
        case .nobody: return text
        case .center(let name):
            guard let name, let owner = settings.owner, name != owner, !settings.formerOwners.contains(name) else { return text }
            found = "the rules of another center (\(name.prefix(80)))"
        case .others: found = "rules that Epitope did not write"
        }
        throw foreign(found)
    }

    private func foreign(_ found: String) -> EpitopeError {
        EpitopeError(
            .rulesFileForeign, "\(path) holds \(found), and is not overwritten",
            remedy: "name another file as rulesFile in the center's settings, and under rule-files in suricata.yaml; or move that one away")
    }

    /// - Throws: `rules-folder-unwritable` where no file can be written beside this one, which is how it is replaced.
    func requireWritableFolder() throws(EpitopeError) {
        guard access(folder, W_OK | X_OK) != 0 else { return }
        throw unwritable("\(folder): \(String(cString: strerror(errno)))")
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
        default: unwritable("\(error)")
        }
    }

    private func unwritable(_ why: String) -> EpitopeError {
        EpitopeError(
            .rulesFolderUnwritable, "the rules file \(path) can't be written: \(why)",
            remedy: "create the folder \(folder), and let the center's user write to it")
    }
}
