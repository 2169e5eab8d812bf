// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

@testable import FileAccess

/// A file is replaced as a whole or not at all.
@Suite struct AtomicFileTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private var names: [String] { get throws { try Folders.names(folder.path).sorted() } }

    @Test(arguments: [true, false]) func `new content takes the old one's place, with its rights`(durably: Bool) throws {
        let path = folder.path + "/file"
        try AtomicFile.write(Array("one".utf8), to: path, mode: 0o600, durably: durably)
        #expect(try FileStatus(path: path).permissions == 0o600)
        try AtomicFile.write(Array("a longer two".utf8), to: path, mode: 0o666, durably: durably)
        #expect(try folder.read("file") == "a longer two")
        #expect(try FileStatus(path: path).permissions == 0o666, "whatever the umask is")
        try AtomicFile.write([], to: path, mode: 0o666, durably: durably)
        #expect(try folder.read("file") == "")
        #expect(try names == ["file"])
    }

    @Test func `what isn't committed leaves nothing behind`() throws {
        try Data("old".utf8).write(to: URL(fileURLWithPath: folder.path + "/file"))
        do {
            let file = try AtomicFile(replacing: folder.path + "/file", mode: 0o600)
            try Array("new".utf8).withUnsafeBytes { try DescriptorIO.write($0, to: file.descriptor.number, at: 0) }
            #expect(try names.count == 2)
        }
        #expect(try names == ["file"])
        #expect(try folder.read("file") == "old")
    }

    @Test func `a link in the file's place is replaced, not followed`() throws {
        try Data("precious".utf8).write(to: URL(fileURLWithPath: folder.path + "/other"))
        #expect(symlink("other", folder.path + "/file") == 0)
        try AtomicFile.write(Array("new".utf8), to: folder.path + "/file", mode: 0o600)
        #expect(try FileStatus(path: folder.path + "/file", followLinks: false).kind == .regular)
        #expect(try folder.read("other") == "precious")
    }

    @Test func `a failure says why and leaves nothing`() throws {
        #expect(throws: FileError.system(ENOENT)) { try AtomicFile.write([1], to: folder.path + "/no/file", mode: 0o600) }
        _ = try folder.makeFolder("file")
        #expect(throws: FileError.system(EISDIR)) { try AtomicFile.write([1], to: folder.path + "/file", mode: 0o600) }
        #expect(try names == ["file"])
    }

    @Test func `folders are made with those above them`() throws {
        try Folders.make(folder.path + "/a/b/c", mode: 0o700)
        #expect(try FileStatus(path: folder.path + "/a/b").permissions == 0o700)
        try Folders.make(folder.path + "/a/b/c", mode: 0o755)
        #expect(try FileStatus(path: folder.path + "/a/b/c").permissions == 0o700, "as it was")
        #expect(throws: FileError.system(ENOTDIR)) { try Folders.make("/dev/null/x/y", mode: 0o700) }
        #expect(try Folders.names(folder.path + "/a") == ["b"])
        #expect(try Folders.names("/proc", maxCount: 3).count == 3)
        #expect(throws: FileError.system(ENOENT)) { try Folders.names(folder.path + "/none") }
        for (path, parent) in [("/a/b", "/a"), ("/a", "/"), ("a", "."), ("a/b", "a")] { #expect(Folders.parent(of: path) == parent) }
    }

    @Test func `a mapping keeps the content that it was made of`() throws {
        let path = folder.path + "/file"
        try AtomicFile.write(Array("old".utf8), to: path, mode: 0o600)
        let map = try MemoryMap(path: path)
        try AtomicFile.write(Array("new".utf8), to: path, mode: 0o600)
        #expect(map.bytes.elementsEqual("old".utf8))
        try AtomicFile.write([], to: path, mode: 0o600)
        #expect(try MemoryMap(path: path).bytes.isEmpty)
        #expect(throws: FileError.notRegular) { try MemoryMap(path: folder.path) }
        #expect(throws: FileError.system(ENOENT)) { try MemoryMap(path: path + "x") }
    }
}
