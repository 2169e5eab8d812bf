// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import FileAccess
import Glibc
import ProcessContext

/// The files that exclusions name: their states and hashes, cached while the files are unchanged.
struct ExclusionFiles {
    private var hashes: [ExclusionTarget.FileState: String] = [:]
    /// The kernel's identity of each file that was opened, by what `stat` says of the file.
    private var states: [FileIdentity: ExclusionTarget.FileState] = [:]

    /// `nil` for a path where no regular file can be read.
    mutating func state(of path: String) -> ExclusionTarget.FileState? {
        guard let identity = FileIdentity(path: path) else { return nil }
        if let known = states[identity] { return known }
        guard let file = try? FileDescriptor(path, O_RDONLY | O_NONBLOCK), let state = ExclusionTarget.FileState(file) else { return nil }
        if states.count >= ExclusionResolver.maxTargets { states.removeAll() }
        states[identity] = state
        return state
    }

    /// The SHA-256 of a file as hexadecimal digits; `nil` if the file can't be read, or isn't in the expected state before
    /// and after.
    mutating func hash(of path: String, expected: ExclusionTarget.FileState) -> String? {
        if let known = hashes[expected] { return known }
        guard let file = try? FileDescriptor(path, O_RDONLY | O_NONBLOCK), ExclusionTarget.FileState(file) == expected,
            let hash = FileHash.sha256(file.number), ExclusionTarget.FileState(file) == expected
        else { return nil }
        if hashes.count >= ExclusionResolver.maxTargets { hashes.removeAll() }
        hashes[expected] = hash
        return hash
    }

    /// Whether a path is an executable ELF file, which a process can run.
    static func isProgram(_ path: String) -> Bool {
        guard let status = try? FileStatus(path: path), status.kind == .regular, status.permissions & 0o111 != 0,
            let file = try? FileDescriptor(path, O_RDONLY | O_NONBLOCK)
        else { return false }
        return (try? DescriptorIO.bytes(file.number, at: 0, count: 4)) == [0x7F] + Array("ELF".utf8)
    }

    /// Whether only root may replace the file that a path leads to: the file, all folders on the way, and the links among them are
    /// root's, and nobody else may write to them. Not even a sticky folder may be among them.
    static func onlyRootMayReplace(_ path: String) -> Bool {
        (try? TrustedFile(path, PathTrust(followsLinks: true, allowsSticky: false))) != nil
    }
}
