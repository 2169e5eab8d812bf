// SPDX-License-Identifier: Apache-2.0

/// Why the kernel backend inspects the calls of a process: something by which there may be code in it that no file has. By itself that is
/// no evidence.
public enum MarkReason: String, Hashable, Sendable, Codable, CaseIterable {
    /// Memory without a file was mapped executable, or a file that may change.
    case mapped
    /// Such memory was made executable, or an image's code writable.
    case protected
    /// A System V segment was attached executable.
    case attached
    /// All that it may read, it may execute (READ_IMPLIES_EXEC).
    case personality
    /// The process that it was forked from was inspected.
    case inherited
    case executableStack = "executable-stack"
    /// There was such memory when the agent began.
    case found
    /// Another process may write its memory: a debugger.
    case writtenByOther = "written-by-other"
    /// It may write its memory through `/proc/self/mem`.
    case writtenBySelf = "written-by-self"
    /// Its program, or the loader that starts it, is no image on disk.
    case program
    /// Its program is in a file that may change.
    case executed
    /// Another file may stand in its program's place (PR_SET_MM).
    case replaced
    /// There was no room to remember which processes are inspected: others are, too.
    case noRoom = "no-room"
}
