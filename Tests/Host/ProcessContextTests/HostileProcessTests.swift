// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import TestSupport
import Testing

@testable import ProcessContext

/// Processes that would have us open what we should not, read what isn't theirs, or wait for ever.
@Suite struct HostileProcessTests {
    let folder = OddProcessTableTests.Folder()

    /// What a link leads to is looked up in the process's root, as the process itself would find it.
    @Test func `Links don't lead out of a process's root`() throws {
        try folder.write("outside/passwd", "host:x:34:34::/:\n")
        try folder.write("root/etc/real", "inside:x:34:34::/:\n")
        try folder.write("root\(folder.path)/outside/passwd", "its-own:x:34:34::/:\n")
        let root = try #require(RootFolder(folder.path + "/root"))
        try folder.link("root/absolute", to: folder.path + "/outside")
        try folder.link("root/up", to: "../../../../../../../../outside")
        try folder.link("root/self", to: "/proc/self/root")
        #expect(root.text("/absolute/passwd", maxBytes: 100) == "its-own:x:34:34::/:\n")
        #expect(root.text("/up/passwd", maxBytes: 100) == nil)
        #expect(root.text("/../../outside/passwd", maxBytes: 100) == nil)
        #expect(root.text("/self/etc/passwd", maxBytes: 100) == nil)
        #expect(root.text("/etc/real", maxBytes: 6) == "inside")
        try folder.link("root/etc/link", to: "real")
        #expect(root.file("/etc/link") == nil)
        #expect(root.file("/etc/link", followLinks: true) != nil)
    }

    /// Opening alone sets some devices going, and is told to whoever waits at a pipe's other end.
    @Test func `A pipe or a device in a file's place is not opened`() throws {
        try folder.write("root/etc/os-release", "ID=x\n")
        let root = try #require(RootFolder(folder.path + "/root"))
        #expect(mkfifo(folder.path + "/root/etc/passwd", 0o666) == 0)
        let opens = inotify_init1(Int32(IN_NONBLOCK))
        defer { close(opens) }
        #expect(inotify_add_watch(opens, folder.path + "/root/etc/passwd", UInt32(IN_OPEN)) >= 0)
        #expect(inotify_add_watch(opens, folder.path + "/root/etc/os-release", UInt32(IN_OPEN)) >= 0)
        #expect(root.file("/etc/passwd") == nil)
        var room = [UInt8](repeating: 0, count: 4096)
        #expect(read(opens, &room, room.count) < 0 && errno == EAGAIN, "it was opened")
        // So would an opening be seen.
        #expect(root.text("/etc/os-release", maxBytes: 10) == "ID=x\n")
        #expect(read(opens, &room, room.count) > 0)
        if geteuid() == 0, mknod(folder.path + "/root/etc/null", S_IFCHR | 0o666, 0x103) == 0 {
            #expect(root.file("/etc/null") == nil)
        }
        #expect(root.file("/etc") == nil)
    }

    /// A file system whose server never answers: every look at it waits, and no signal ends that.
    @Test(.enabled(if: SilentFileSystem.canBeMade, "needs root and /dev/fuse")) func `A process whose files never answer holds nobody up`()
        async throws
    {
        try folder.write("7/status", "PPid:\t0\nUid:\t0\t0\t0\t0\n")
        try folder.write("7/comm", "held\n")
        try FileManager.default.createDirectory(atPath: folder.path + "/7/root", withIntermediateDirectories: true)
        let host = ProcessContextCollector(hostID: nil, proc: folder.path, maxInspectionSeconds: 0.2, maxEnrichmentSeconds: 0.2)
        do {
            let silent = try #require(SilentFileSystem(folder.path + "/7/root"))
            let seen = host.context(ofProcess: 7, thread: 7)
            #expect(seen == ProcessParameters(processID: 7, threadID: 7))
            let own = host.context(ofProcess: 7, thread: 8)
            #expect(own.threadID == 8)
            let (process, system) = await host.enrich(ProcessParameters(processID: 7, threadID: 7, executable: Executable(path: "/x")))
            #expect(process.executable?.sha256 == nil)
            #expect(system.kernelRelease != nil)
            _ = silent
        }
        // The server has gone: what waited has come back.
        var later = host.context(ofProcess: 7, thread: 7)
        for _ in 0..<100 where later.name == nil {
            try await Task.sleep(for: .milliseconds(10))
            later = host.context(ofProcess: 7, thread: 7)
        }
        #expect(later.name == "held")
    }
}
