// SPDX-License-Identifier: Apache-2.0

import CKernelProgram
import FileAccess
import Glibc
import ProcessInspection

/// The program that a process ran when it made a call, as the kernel program described it.
///
/// When the agent looks, the process may have ended, or run another program since: what `/proc` says is that one's then.
struct RunningProgram: Hashable, Sendable {
    /// Its file; `nil` where the kernel program couldn't tell.
    var file: FileAtCall?
    /// From the root of the mounts that the process saw; `nil` where the kernel program couldn't tell.
    var path: String?
    /// Whether the file had no name any more.
    var isDeleted: Bool
    /// Where the program's code begins, and its stack.
    var startCode: UInt64
    var startStack: UInt64
    /// Whether the file may not be what the process began with (PR_SET_MM).
    var mayBeReplaced: Bool

    init(_ program: epitope_running_program, path bytes: UnsafeRawBufferPointer) {
        let changed = FileIdentity.Time(seconds: program.changed_seconds, nanoseconds: Int64(program.changed_nanoseconds))
        let id = KernelFile(inode: program.inode, device: program.device, generation: program.generation)
        file = program.inode == 0 ? nil : FileAtCall(id: id, changed: changed)
        path = FileAtCall.path(bytes, length: program.path_length)
        isDeleted = program.links == 0
        startCode = program.start_code
        startStack = program.start_stack
        mayBeReplaced = program.may_be_replaced != 0
    }

    /// Whether a process, or thread, runs the program still. If so, all that was read of it before is of this program.
    ///
    /// By where its code and its stack begin: the latter is random, with more than 20 bits, each time that a program is started. A process
    /// that had its own addresses not be random (ADDR_NO_RANDOMIZE) and starts the same file again isn't told.
    func isStillRun(by process: pid_t) -> Bool {
        guard file != nil, let statistics = ProcessStatistics(of: process), statistics.startCode == startCode,
            statistics.startStack == startStack,
            let handle = try? PathHandle("/proc/\(process)/exe")
        else { return false }
        return isFile(handle)
    }

    /// Whether a handle is of the program's file, whatever became of that since. As far as the kernel knows without asking the file
    /// system, which states another device for it on overlayfs and btrfs.
    private func isFile(_ handle: PathHandle) -> Bool {
        guard let file, let facts = try? handle.facts() else { return false }
        return facts.inode == file.id.inode || file.device.major == 0
    }

    /// Opens the program's file, if it is what it was at the call: by what the process runs now, and by its path in the process's mounts
    /// and in this process's.
    ///
    /// - Parameter process: the process, while it exists.
    /// - Returns: the file, and the root folder that its path begins at.
    func open(_ process: pid_t?) -> (file: FileDescriptor, root: String)? {
        guard let file else { return nil }
        if let process {
            let root = "/proc/\(process)/root"
            if let opened = file.open("", from: "/proc/\(process)/exe", process) { return (opened, root) }
            if let path, let opened = file.open(path, from: root, process) { return (opened, root) }
        }
        return path.flatMap { file.open($0, from: "/", getpid()) }.map { ($0, "/") }
    }
}
