// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// Files that hold secrets: readable by their owner only from the moment they exist, and replaced in one step, so
/// that a crash leaves either the old content or the new.
enum PrivateFiles {
    /// The most that is read of such a file, in bytes: many times a key and a chain of certificates.
    static let largest = 256 * 1024

    /// Makes a directory (mode 0700) where there is none, and sees that it can be written. So for the folders above it.
    static func makeDirectory(_ path: String) throws(EpitopeError) {
        var made = mkdir(path, 0o700) == 0 || errno == EEXIST
        if !made, errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex {
            try makeDirectory(String(path[..<slash]))
            made = mkdir(path, 0o700) == 0 || errno == EEXIST
        }
        guard made else { throw failure("make the folder \(path)") }
        guard access(path, W_OK | X_OK) == 0 else { throw failure("write in the folder \(path)") }
    }

    /// Writes the text to the path, with mode 0600, durably.
    static func save(_ text: String, to path: String) throws(EpitopeError) {
        let temporary = "\(path).\(getpid()).\(UInt32.random(in: .min ... .max))"
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw failure("write \(path)") }
        let written = Array(text.utf8).withUnsafeBytes { bytes in
            var offset = 0
            while offset < bytes.count {
                let count = write(file, bytes.baseAddress! + offset, bytes.count - offset)
                if count < 0 && errno == EINTR { continue }
                if count <= 0 { return false }
                offset += count
            }
            return fsync(file) == 0
        }
        let reason = errno
        close(file)
        guard written, rename(temporary, path) == 0 else {
            let cause = written ? errno : reason
            unlink(temporary)
            throw failure("write \(path)", cause: cause)
        }
        synchronize(directoryOf: path)
    }

    /// The text of a file; `nil` when there is none.
    static func load(_ path: String) throws(EpitopeError) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw failure("read \(path)")
        }
        defer { close(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16384)
        while bytes.count <= largest {
            let count = chunk.withUnsafeMutableBytes { read(file, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw failure("read \(path)") }
            if count == 0 { return String(decoding: bytes, as: UTF8.self) }
            bytes += chunk[..<count]
        }
        throw failure("read \(path)", cause: EFBIG)
    }

    /// Gives a folder its final name, in one step. `false` when something is there already.
    static func publish(folder: String, as path: String) throws(EpitopeError) -> Bool {
        guard rename(folder, path) == 0 else {
            if errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR { return false }
            throw failure("make the folder \(path)")
        }
        synchronize(directoryOf: path)
        return true
    }

    static func removeFolder(_ path: String, files: [String]) {
        for file in files { unlink("\(path)/\(file)") }
        rmdir(path)
    }

    /// Makes a rename durable. A file system that can't do it has already done all it can.
    private static func synchronize(directoryOf path: String) {
        let parent = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
        let directory = open(parent.isEmpty ? "/" : parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { return }
        fsync(directory)
        close(directory)
    }

    private static func failure(_ what: String, cause: Int32 = errno) -> EpitopeError {
        EpitopeError(
            .stateUnwritable, "could not \(what): \(String(cString: strerror(cause)))",
            remedy: "see that the folder exists, is owned by the user that runs epitope, and that its disk has room")
    }
}
