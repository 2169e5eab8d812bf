// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Foundation
import Glibc
import TestSupport
import Testing

@testable import GoodwareFiles
@testable import GoodwareReading

/// Trees that others made: any names, any depth.
@Suite("The files of a corpus") struct CorpusTreeTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private func make(_ names: [UInt8], in place: PathHandle, _ content: String = "text") {
        let file = openat(place.descriptor, names.map { CChar(bitPattern: $0) } + [0], O_WRONLY | O_CREAT, 0o600)
        #expect(file >= 0)
        _ = Glibc.write(file, content, content.utf8.count)
        close(file)
    }

    private func listed(maxBytes: Int = CorpusTree.maxPathBytesInAll) -> (files: [RawPath], unreadable: [(RawPath, String)]) {
        var unreadable: [(RawPath, String)] = []
        let tree = CorpusTree(below: [folder.path], maxBytes: maxBytes) { unreadable.append(($0, $1)) }
        return (tree.files.map(\.path), unreadable)
    }

    @Test func `a source that is neither a file nor a folder is named`() {
        let pipe = folder.path + "/pipe"
        #expect(mkfifo(pipe, 0o600) == 0)
        var unreadable: [String] = []
        let tree = CorpusTree(below: [pipe]) { unreadable.append("\($0): \($1)") }
        #expect(tree.files.isEmpty && unreadable == ["\(pipe): not a regular file or folder"])
    }

    /// A chain of folders, each with one file.
    private func makeChain(_ count: Int, nameBytes: Int) throws {
        let name = [UInt8](repeating: UInt8(ascii: "d"), count: nameBytes)
        var place = try PathHandle(folder.path)
        for _ in 0..<count {
            make(Array("file".utf8), in: place)
            #expect(mkdirat(place.descriptor, name.map { CChar(bitPattern: $0) } + [0], 0o700) == 0)
            place = try PathHandle(RawPath(bytes: name), in: place, mustBeFolder: true)
        }
    }

    @Test func `files are found whatever bytes their names have`() throws {
        let place = try PathHandle(folder.path)
        let names: [[UInt8]] = [
            Array("caf".utf8) + [0xe9] + Array(".bin".utf8), [0xff, 0xfe], [0x0a], [0x80], Array("\u{e9}".utf8), [0x20], Array("-rf".utf8),
        ]
        for name in names { make(name, in: place) }
        let (files, unreadable) = listed()
        #expect(Set(files.map(\.bytes)) == Set(names.map { RawPath(folder.path).appending($0).bytes }))
        #expect(unreadable.isEmpty)
        #expect(files == files.sorted())
    }

    @Test func `paths may be longer than the kernel takes at once`() throws {
        try makeChain(60, nameBytes: 200)
        let (files, unreadable) = listed()
        #expect(files.count == 60)
        #expect(unreadable.isEmpty)
        for file in files { #expect(try FileDescriptor(file, O_RDONLY).read(maxBytes: 9) == Array("text".utf8)) }
    }

    @Test func `what lies too deep is named`() throws {
        try makeChain(100, nameBytes: 250)
        let (files, unreadable) = listed()
        #expect((60..<68).contains(files.count))
        #expect(unreadable.count == 1)
        #expect(unreadable.first?.1 == "what is in it has a path of more than 16384 bytes")
    }

    @Test func `a deep chain costs a look at each folder`() throws {
        // Each of 4,000 folders by its path from the root: that is eight million steps; from an anchor, it is some hundred thousand.
        try makeChain(4000, nameBytes: 1)
        let (files, unreadable) = listed()
        #expect(files.count == 4000 && unreadable.isEmpty)
    }

    @Test func `links are not followed, and a file with several names counts once`() throws {
        let place = try PathHandle(folder.path)
        make([0x61], in: place)
        #expect(linkat(place.descriptor, "a", place.descriptor, "b", 0) == 0)
        #expect(symlinkat("/usr", place.descriptor, "link") == 0)
        #expect(symlinkat(".", place.descriptor, "loop") == 0)
        #expect(mkfifoat(place.descriptor, "pipe", 0o600) == 0)
        let (files, unreadable) = listed()
        #expect(files.count == 1)
        #expect(unreadable.isEmpty)
    }

    @Test func `a flood of names ends within its bound, and is named`() throws {
        let place = try PathHandle(folder.path)
        for number in 0..<50 { make(Array("file-\(number)".utf8), in: place) }
        let each = RawPath(folder.path).bytes.count + "/file-00".utf8.count
        let (files, unreadable) = listed(maxBytes: 20 * each)
        #expect((19...21).contains(files.count))
        #expect(files.count + unreadable.count == 50)
        #expect(unreadable.first?.1.hasPrefix("there are too many files") == true)
    }
}
