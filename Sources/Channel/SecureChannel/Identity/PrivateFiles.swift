// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Glibc

/// Files that hold secrets: readable by their owner only from the moment they exist, and replaced in one step, so
/// that a crash leaves either the old content or the new.
enum PrivateFiles {
    /// The most that is read of such a file, in bytes: many times a key and a chain of certificates.
    static let maxBytes = 256 * 1024

    /// Makes a directory (mode 0700) where there is none, and sees that it can be written. So for the folders above it.
    static func makeDirectory(_ path: String) throws(EpitopeError) {
        do throws(FileError) {
            try Folders.make(path, mode: 0o700)
        } catch {
            throw failure("make the folder \(path)", error)
        }
        guard access(path, W_OK | X_OK) == 0 else { throw failure("write in the folder \(path)", .system(errno)) }
    }

    /// Writes the text to the path, with mode 0600, durably.
    static func save(_ text: String, to path: String) throws(EpitopeError) {
        do throws(FileError) {
            try AtomicFile.write(text.utf8, to: path, mode: 0o600)
        } catch {
            throw failure("write \(path)", error)
        }
    }

    /// The text of a file; `nil` when there is none.
    static func load(_ path: String) throws(EpitopeError) -> String? {
        do throws(FileError) {
            // Not by a handle (FileContents): opening one needs /proc, which a chroot may lack.
            let bytes = try FileDescriptor(path, O_RDONLY | O_NONBLOCK).readWhole(maxBytes: maxBytes)
            return String(decoding: bytes, as: UTF8.self)
        } catch {
            if error.isAbsence { return nil }
            throw failure("read \(path)", error)
        }
    }

    /// Gives a folder its final name, in one step. `false` when something is there already.
    static func publish(folder: String, as path: String) throws(EpitopeError) -> Bool {
        guard rename(folder, path) == 0 else {
            if errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR { return false }
            throw failure("make the folder \(path)", .system(errno))
        }
        do throws(FileError) {
            try Folders.synchronize(Folders.parent(of: path))
        } catch {
            throw failure("make the folder \(path)", error)
        }
        return true
    }

    static func removeFolder(_ path: String, files: [String]) {
        for file in files { unlink("\(path)/\(file)") }
        rmdir(path)
    }

    private static func failure(_ what: String, _ cause: FileError) -> EpitopeError {
        EpitopeError(
            .stateUnwritable, "could not \(what): \(cause)",
            remedy: "see that the folder exists, is owned by the user that runs epitope, and that its disk has room")
    }
}
