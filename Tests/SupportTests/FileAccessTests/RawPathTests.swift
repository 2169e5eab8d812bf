// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Foundation
import Glibc
import TestSupport
import Testing

@Suite("Paths as the kernel has them") struct RawPathTests {
    @Test(arguments: [
        ("caf\u{e9}", "caf\u{e9}"), ("a\nb", "a\\x0Ab"), ("\u{1b}[2J", "\\x1B[2J"), ("a\u{202e}b", "a\\xE2\\x80\\xAEb"), ("", ""),
        ("\u{1f600} ", "\u{1f600} "), (" a~", " a~"), ("\u{1f}\u{7f}", "\\x1F\\x7F"), ("\u{85}", "\\xC2\\x85"),
        ("\u{feff}x", "\\xEF\\xBB\\xBFx"),
    ])
    func `what would steer a terminal is not printed`(name: String, shown: String) {
        #expect(RawPath.printable(Array(name.utf8)) == shown)
    }

    @Test(
        arguments: [
            ([0x63, 0xe9, 0x2e], "c\\xE9."), ([0xff], "\\xFF"), ([0xe2, 0x82], "\\xE2\\x82"), ([0xc0, 0x80], "\\xC0\\x80"),
            ([0xed, 0xa0, 0x80], "\\xED\\xA0\\x80"), ([0xf4, 0x90, 0x80, 0x80], "\\xF4\\x90\\x80\\x80"), ([0xc3, 0x41], "\\xC3A"),
        ] as [([UInt8], String)])
    func `what is not UTF-8 is written byte by byte`(name: [UInt8], shown: String) {
        #expect(RawPath.printable(name) == shown)
    }

    @Test func `files are opened by names of any bytes and paths of any length`() throws {
        let folder = try TemporaryFolder()
        var path = RawPath(folder.path)
        var place = try PathHandle(path, mustBeFolder: true)
        let name = [UInt8](repeating: 0xe9, count: 200)
        for _ in 0..<60 {
            #expect(mkdirat(place.descriptor, name.map { CChar(bitPattern: $0) } + [0], 0o700) == 0)
            place = try PathHandle(RawPath(bytes: name), in: place, mustBeFolder: true)
            path = path.appending(name)
        }
        let file = openat(place.descriptor, "end", O_WRONLY | O_CREAT, 0o600)
        #expect(file >= 0 && Glibc.write(file, "text", 4) == 4)
        close(file)
        path = path.appending(Array("end".utf8))
        #expect(path.bytes.count > 12_000)
        #expect(try FileDescriptor(path, O_RDONLY).read(maxBytes: 100) == Array("text".utf8))
        #expect(try PathHandle(path).status().kind == .regular)
        #expect(try FileStatus(name: Array("end".utf8), in: place).identity.size == 4)
        // Neither a name that is too long nor one that is missing is anything else.
        #expect(throws: FileError.system(ENAMETOOLONG)) { try FileDescriptor(RawPath(bytes: Array(repeating: 65, count: 9000)), O_RDONLY) }
        #expect(throws: FileError.system(ENOENT)) { try FileDescriptor(RawPath(folder.path + "/none"), O_RDONLY) }
    }

    @Test func `a folder is listed to its end, or the listing fails`() throws {
        let folder = try TemporaryFolder()
        for number in 0..<3000 { _ = try folder.makeFile("file-\(number)") }
        let handle = try PathHandle(folder.path)
        var names: Set<[UInt8]> = []
        try Folders.eachName(in: handle) { names.insert($0).inserted }
        #expect(names.count == 3000)
        var first = 0
        try Folders.eachName(in: handle) { _ in
            first += 1
            return false
        }
        #expect(first == 1)
        #expect(throws: FileError.system(ENOTDIR)) { try Folders.eachName(in: try PathHandle("/bin/sh")) { _ in true } }
    }
}
