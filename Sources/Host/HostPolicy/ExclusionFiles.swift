// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import Foundation
import ProcessContext

/// The files that exclusions name: their states and hashes, cached while the files are unchanged.
struct ExclusionFiles {
    private var hashes: [ExclusionTarget.FileState: String] = [:]
    /// The kernel's identity of each file that was opened, by what `stat` says of the file.
    private var states: [FileStamp: ExclusionTarget.FileState] = [:]

    /// `nil` for a path where no regular file can be read.
    mutating func state(of path: String) -> ExclusionTarget.FileState? {
        guard let stamp = FileStamp(path) else { return nil }
        if let known = states[stamp] { return known }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        guard let state = MappedFile.state(descriptor) else { return nil }
        if states.count >= ExclusionResolver.maxTargets { states.removeAll() }
        states[stamp] = state
        return state
    }

    /// The SHA-256 of a file as hexadecimal digits; `nil` if the file can't be read, or isn't in the expected state before
    /// and after.
    mutating func hash(of path: String, expected: ExclusionTarget.FileState) -> String? {
        if let known = hashes[expected] { return known }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        guard MappedFile.state(descriptor) == expected, let hash = FileHash.sha256(descriptor),
            MappedFile.state(descriptor) == expected
        else { return nil }
        if hashes.count >= ExclusionResolver.maxTargets { hashes.removeAll() }
        hashes[expected] = hash
        return hash
    }

    /// Whether a path is an executable ELF file, which a process can run.
    static func isProgram(_ path: String) -> Bool {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o111 != 0 else { return false }
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        let elf: [UInt8] = [0x7F] + Array("ELF".utf8)
        var magic = [UInt8](repeating: 0, count: elf.count)
        return pread(descriptor, &magic, magic.count, 0) == magic.count && magic == elf
    }

    /// Whether only root may replace the file that a path leads to.
    static func onlyRootMayReplace(_ path: String) -> Bool {
        guard let real = realpath(path, nil) else { return false }
        defer { free(real) }
        return MappedFile.onlyRootMayReplace(String(cString: real))
    }
}

/// What `stat` says that distinguishes one state of a file from another.
struct FileStamp: Hashable {
    var device: UInt64
    var inode: UInt64
    var size: Int64
    var changedSeconds: Int
    var changedNanoseconds: Int

    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        changedSeconds = Int(status.st_ctim.tv_sec)
        changedNanoseconds = Int(status.st_ctim.tv_nsec)
    }
}
