// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

@testable import FileAccess

/// Bounded reads of ordinary files, of the kernel's, and of what is neither.
@Suite struct FileContentsTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func write(_ bytes: [UInt8], _ name: String) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: "\(folder.path)/\(name)"))
        return "\(folder.path)/\(name)"
    }

    @Test func `a file is read up to its bound`() throws {
        let content = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let path = try write(content, "file")
        #expect(try FileContents.bytes(path, maxBytes: 1 << 20) == content)
        #expect(try FileContents.bytes(path, maxBytes: content.count) == content)
        #expect(try FileContents.bytes(path, maxBytes: 70_000) == Array(content[..<70_000]))
        #expect(try FileContents.whole(path, maxBytes: content.count) == content)
        #expect(throws: FileError.tooLong) { try FileContents.whole(path, maxBytes: content.count - 1) }
        #expect(try FileContents.bytes(write([], "empty"), maxBytes: 10) == [])
        #expect(throws: FileError.system(ENOENT)) { try FileContents.bytes(path + "x", maxBytes: 10) }
    }

    @Test func `bytes are read from any place and any number of times`() throws {
        let file = try FileDescriptor(write(Array(0..<100), "file"), O_RDONLY)
        #expect(try DescriptorIO.bytes(file.number, at: 90, count: 20) == Array(90..<100))
        #expect(try DescriptorIO.bytes(file.number, at: 5, count: 3) == [5, 6, 7])
        #expect(try DescriptorIO.bytes(file.number, at: 200, count: 3) == [])
        #expect(try file.read(maxBytes: 4) == [0, 1, 2, 3])
        #expect(try file.read(maxBytes: 4) == [0, 1, 2, 3])
    }

    @Test func `a pipe, a device and a folder are not opened`() throws {
        #expect(mkfifo(folder.path + "/pipe", 0o600) == 0)
        #expect(throws: FileError.notRegular) { try FileContents.bytes(folder.path + "/pipe", maxBytes: 10) }
        #expect(throws: FileError.notRegular) { try FileContents.bytes("/dev/zero", maxBytes: 10) }
        #expect(throws: FileError.notRegular) { try FileContents.bytes(folder.path, maxBytes: 10) }
        #expect(ProcFS.text(folder.path + "/pipe") == nil)
    }

    @Test func `links are followed only where that is asked for`() throws {
        let path = try write([1, 2], "file")
        #expect(symlink("file", folder.path + "/link") == 0)
        #expect(try FileContents.bytes(folder.path + "/link", maxBytes: 10) == [1, 2])
        #expect(throws: FileError.notRegular) { try FileContents.bytes(folder.path + "/link", maxBytes: 10, followLinks: false) }
        #expect(ProcFS.link(folder.path + "/link") == "file")
        #expect(ProcFS.link(path) == nil)
    }

    @Test func `below a folder no link is followed`() throws {
        _ = try folder.makeFolder("real/deep")
        _ = try write([7], "real/deep/file")
        #expect(symlink("real", folder.path + "/link") == 0 && symlink("file", folder.path + "/real/deep/other") == 0)
        #expect(try FileContents.whole(in: folder.path, ["real", "deep", "file"], maxBytes: 1) == [7])
        #expect(try FileContents.whole(in: folder.path + "/link", ["deep", "file"], maxBytes: 1) == [7])
        for names in [
            ["link", "deep", "file"], ["real", "deep", "other"], ["real", "..", "real", "deep", "file"], ["real/deep", "file"], [],
        ] {
            #expect(throws: FileError.self, "\(names)") { try FileContents.whole(in: folder.path, names, maxBytes: 1) }
        }
    }

    @Test func `the kernel's files are read to their end`() throws {
        // Longer than the page or so that one read gives: mappings with other rights than their neighbours' are a line each.
        let pages = 400
        let room = try #require(mmap(nil, pages * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
        defer { munmap(room, pages * 4096) }
        for page in stride(from: 0, to: pages, by: 2) { mprotect(room + page * 4096, 4096, PROT_READ | PROT_WRITE) }
        let last = UInt(bitPattern: room) + UInt(pages - 1) * 4096
        let maps = try #require(ProcFS.text("/proc/self/maps"))
        #expect(maps.utf8.count > 20_000 && maps.hasSuffix("\n"))
        #expect(maps.contains("\n" + String(last, radix: 16) + "-"))
        #expect(ProcFS.text("/proc/self/maps", maxBytes: 10)?.utf8.count == 10)
        #expect(ProcFS.text("/proc/self/no-such-file") == nil)
        #expect(ProcFS.text("/proc/self") == nil)
    }

    @Test func `a root isn't left by links or dots`() throws {
        _ = try folder.makeFolder("root/etc")
        _ = try write([1], "root/etc/file")
        _ = try write([2], "file")
        #expect(symlink("../../../file", folder.path + "/root/out") == 0)
        let root = try PathHandle(folder.path + "/root", mustBeFolder: true)
        #expect(try PathHandle("/etc/file", withRoot: root, followLinks: false).openFile().read(maxBytes: 9) == [1])
        #expect(throws: FileError.system(ENOENT)) { try PathHandle("/out", withRoot: root, followLinks: true) }
        #expect(throws: FileError.system(ENOENT)) { try PathHandle("/../file", withRoot: root, followLinks: true) }
        #expect(throws: FileError.system(ENOTDIR)) { try PathHandle(folder.path + "/file", mustBeFolder: true) }
    }
}

/// What tells one file, and one state of it, from another.
@Suite struct FileIdentityTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test func `every change makes another identity`() throws {
        let path = folder.path + "/file"
        let handle = try folder.makeFile("file")
        try handle.write(contentsOf: Data("one".utf8))
        let first = try #require(FileIdentity(path: path))
        #expect(first == FileIdentity(handle.fileDescriptor))
        usleep(20_000)
        chmod(path, 0o640)
        let renamed = try #require(FileIdentity(path: path))
        #expect(renamed != first && renamed.hasContent(of: first), "its rights changed, its content didn't")
        usleep(20_000)
        try handle.write(contentsOf: Data("two".utf8))
        let longer = try #require(FileIdentity(path: path))
        #expect(!longer.hasContent(of: first))
        // Time and size put back: what its owner can do. The time of change gives it away.
        try handle.truncate(atOffset: 3)
        var times = [
            timespec(tv_sec: Int(first.modified.seconds), tv_nsec: Int(first.modified.nanoseconds)),
            timespec(tv_sec: Int(first.modified.seconds), tv_nsec: Int(first.modified.nanoseconds)),
        ]
        #expect(futimens(handle.fileDescriptor, &times) == 0)
        let disguised = try #require(FileIdentity(path: path))
        #expect(disguised.hasContent(of: first) && disguised != first)
        #expect(FileIdentity(path: path + "x") == nil)
    }

    @Test func `a file's status is the file system's`() throws {
        _ = try folder.makeFile("file")
        #expect(link(folder.path + "/file", folder.path + "/name") == 0 && symlink("file", folder.path + "/link") == 0)
        chmod(folder.path + "/file", 0o4750)
        let status = try FileStatus(path: folder.path + "/link")
        #expect(status.kind == .regular && status.permissions == 0o4750 && status.links == 2 && status.owner == geteuid())
        #expect(try FileStatus(path: folder.path + "/link", followLinks: false).kind == .link)
        #expect(try FileStatus(path: folder.path).kind == .folder)
        #expect(try FileStatus(path: "/dev/null").kind == .other)
        #expect(throws: FileError.system(ENOENT)) { try FileStatus(path: folder.path + "/none") }
        let facts = try PathHandle(folder.path + "/file").facts()
        #expect(facts.deviceMajor == status.identity.deviceMajor && facts.deviceMinor == status.identity.deviceMinor)
        #expect(facts.isRegular && facts.links == 2 && facts.inode == status.identity.inode && facts.size == 0)
    }

    @Test func `a mapping of a file has the kernel's name for it`() throws {
        let file = try FileDescriptor("/proc/self/exe", O_RDONLY)
        let mapped = try #require(MappedFileIdentity(file.number))
        #expect(mapped.inode != 0)
        #expect(MappedFileIdentity(-1) == nil)
    }
}
