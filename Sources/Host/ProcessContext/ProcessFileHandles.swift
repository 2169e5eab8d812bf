// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Glibc

/// Open files of an inspected process: they stay readable when it is killed or its program is deleted.
struct ProcessFileHandles: Sendable {
    var executable: FileDescriptor?
    /// The process's root folder.
    var root: RootFolder?
    /// The program has no name any more.
    var isDeleted: Bool
    /// `/proc/PID/maps` as it was; taken apart only when the process need not be held any more.
    private var maps: [UInt8]

    /// - Parameter folder: the process's folder in `/proc`.
    init(folder: String) {
        executable = try? FileDescriptor(folder + "/exe", O_RDONLY | O_NONBLOCK)
        root = RootFolder(folder + "/root")
        isDeleted = executable.map { (try? $0.status().links) ?? 0 == 0 } ?? false
        maps = ProcFS.bytes(folder + "/maps", maxBytes: 1 << 20) ?? []
    }

    /// The C library that the process has mapped, from its own root.
    var libc: (file: FileDescriptor, library: LibcVersion.Library)? {
        guard let root, let (path, library) = LibcVersion.library(in: maps),
            let file = root.file(path)
        else { return nil }
        return (file, library)
    }

    /// The files of a process that was inspected by somebody else; `nil` when the number no longer stands for the
    /// same program, since then they would be another's.
    init?(folder: String, expected: ProcessParameters) {
        guard let path = expected.executable?.path, ProcFS.link(folder + "/exe") == path else { return nil }
        self.init(folder: folder)
    }
}

/// The files of the processes inspected last. Bounded: a packet is completed at once, so few are ever waiting.
struct ProcessFileCache: Sendable {
    static let most = 32

    private var entries: [(process: ProcessParameters, files: ProcessFileHandles)] = []

    mutating func insert(_ files: ProcessFileHandles, for process: ProcessParameters) {
        entries.removeAll { $0.process.processID == process.processID }
        entries.append((process, files))
        if entries.count > Self.most { entries.removeFirst() }
    }

    /// Takes the files out: held on, they would keep a container's root busy. The number may stand for another
    /// process by now: its program decides.
    mutating func take(for process: ProcessParameters) -> ProcessFileHandles? {
        let place = entries.lastIndex {
            $0.process.processID == process.processID && $0.process.executable?.path == process.executable?.path
        }
        return place.map { entries.remove(at: $0).files }
    }
}
