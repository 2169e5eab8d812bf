// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Why a file could not be opened, read or written. Callers turn it into an error of their own, which names the file and what
/// to do.
public enum FileError: Error, Hashable, Sendable, CustomStringConvertible {
    /// A system call failed with this error number (errno(3)).
    case system(Int32)
    /// It is not a regular file.
    case notRegular
    /// It is longer than the caller allows.
    case tooLong
    /// `/proc` isn't mounted, which a handle is opened through: the file is there, and can't be read that way.
    case procUnavailable

    /// The error number of the last system call of this thread.
    static var last: FileError { .system(errno) }

    /// The nearest error number of the C library.
    public var number: Int32 {
        switch self {
        case .system(let number): number
        case .notRegular: EINVAL
        case .tooLong: EFBIG
        case .procUnavailable: ENOSYS
        }
    }

    /// Whether there is no such file, or no folder that could hold it.
    public var isAbsence: Bool { number == ENOENT || number == ENOTDIR }

    public var description: String {
        switch self {
        case .system(let number): String(cString: strerror(number))
        case .notRegular: "not a regular file"
        case .tooLong: String(cString: strerror(EFBIG))
        case .procUnavailable: "/proc is not mounted"
        }
    }
}

/// Repeats a system call that a signal interrupted.
///
/// - Returns: what the call returned, zero or more.
func retryingInterrupted(_ call: () -> Int) throws(FileError) -> Int {
    while true {
        let result = call()
        if result >= 0 { return result }
        guard errno == EINTR else { throw .last }
    }
}
