// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import FileAccess
import Glibc

/// Open files of an inspected process. They stay readable after it is killed or its program is deleted.
struct ProcessFileHandles: Sendable {
    var executable: FileDescriptor?
    /// The process's root folder.
    var root: RootFolder?
    /// Where that is, as this machine's paths have it; `nil` where it is `/`, or in mounts that only the process sees.
    private var rootPath: String?
    /// The program's file was deleted.
    var isDeleted: Bool
    /// `/proc/PID/maps` as it was; parsed only once the process need not be held any more.
    private var maps: [UInt8]

    /// How much of the process's mappings is read, in bytes.
    private static let maxMapsSize = 1 << 20

    /// - Parameter folder: the process's folder in `/proc`.
    init(folder: String) {
        executable = try? FileDescriptor(folder + "/exe", O_RDONLY | O_NONBLOCK)
        root = RootFolder(folder + "/root")
        rootPath = ProcFS.link(folder + "/root").flatMap { $0 == "/" ? nil : $0 }
        isDeleted = executable.map { (try? $0.status().links) ?? 0 == 0 } ?? false
        maps = ProcFS.bytes(folder + "/maps", maxBytes: Self.maxMapsSize) ?? []
    }

    /// The file of a program that its process runs no more; `nil` where it can't be opened once more.
    init?(program: ProgramAtCall.File) {
        guard let file = try? FileDescriptor("/proc/self/fd/\(program.descriptor)", O_RDONLY | O_NONBLOCK) else { return nil }
        executable = file
        root = RootFolder(program.root)
        isDeleted = ((try? file.status().links) ?? 0) == 0
        maps = []
    }

    /// The C library that the process has mapped, from its own root.
    var libc: (file: FileDescriptor, library: LibcVersion.Library)? {
        guard let root, let (path, library) = LibcVersion.library(in: maps),
            let file = root.file(pathInRoot(path))
        else { return nil }
        return (file, library)
    }

    /// The images that the process has mapped; `nil` where its mappings are not known.
    var images: ProcessImages? {
        guard let root, !maps.isEmpty, maps.count < Self.maxMapsSize else { return nil }
        return ProcessImages(maps: maps, executable: executable, root: root) { pathInRoot($0) }
    }

    /// The path that the process has for a file. What `/proc` says of one that only changed its root, as chroot(2) does, has the way to
    /// that root before it.
    func pathInRoot(_ path: String) -> String {
        guard let rootPath, path.hasPrefix(rootPath + "/") else { return path }
        return String(path.dropFirst(rootPath.count))
    }

    /// The files of a process that was inspected elsewhere; `nil` if the number is no longer of the same program.
    init?(folder: String, expected: ProcessParameters) {
        guard let path = expected.executable?.path, ProcFS.link(folder + "/exe") == path else { return nil }
        self.init(folder: folder)
    }
}

/// The files of the processes inspected last. Bounded: a packet is enriched at once, so few ever wait.
struct ProcessFileCache: Sendable {
    static let maxProcesses = 32

    private var entries: [(process: ProcessParameters, files: ProcessFileHandles)] = []

    mutating func insert(_ files: ProcessFileHandles, for process: ProcessParameters) {
        remove(process.processID)
        entries.append((process, files))
        if entries.count > Self.maxProcesses { entries.removeFirst() }
    }

    mutating func remove(_ processID: Int32) {
        entries.removeAll { $0.process.processID == processID }
    }

    /// Removes the files and returns them: kept open, they would keep a container's root busy. The number may be another
    /// process's now, so the program is compared as well.
    mutating func take(for process: ProcessParameters) -> ProcessFileHandles? {
        let place = entries.lastIndex {
            $0.process.processID == process.processID && $0.process.executable?.path == process.executable?.path
        }
        return place.map { entries.remove(at: $0).files }
    }
}
