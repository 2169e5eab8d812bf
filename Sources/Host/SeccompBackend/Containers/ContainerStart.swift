// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Glibc

/// The time before a container runs anything of its own: its first process is the runtime's, which installs the filter,
/// hands it over, and executes the container's program.
///
/// Runtimes run from a memfd or another unlinked copy of themselves (runc since 1.1.15, crun), so that a container can't
/// write to them. That exec comes from a memory file, which would be reported of any other process.
struct ContainerStart {
    /// Which program a process runs.
    struct Program: Hashable {
        var device: UInt64
        var inode: UInt64
    }

    private(set) var runtime: Program?
    private(set) var isOver = false

    init(runtime: Program? = nil, isOver: Bool = false) {
        self.runtime = runtime
        self.isOver = isOver
    }

    /// Whether an exec of the process is the runtime's own: the process still runs the program that it ran at its first
    /// exec. A runtime may exec several times, as it tries a name folder by folder.
    mutating func isRuntimesExec(_ program: Program?) -> Bool {
        guard !isOver, let program, runtime == nil || runtime == program else {
            isOver = true
            return false
        }
        runtime = program
        return true
    }

    /// Whether all the evidence is what a runtime's exec gives: the runtime is a memory file, and so are its callers further
    /// up the stack. Code in other unbacked memory isn't expected.
    static func isExpected(_ evidence: [Evidence]) -> Bool {
        evidence.allSatisfy { [.memoryFile, .deeperInStack, .deletedFile].contains($0.kind) }
    }

    /// The program of a process; `nil` when the process has ended.
    static func program(of process: Int32) -> Program? {
        var status = stat()
        guard stat("/proc/\(process)/exe", &status) == 0 else { return nil }
        return Program(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }
}
