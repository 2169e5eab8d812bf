// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Foundation
import TestSupport
import Testing

@Suite("Files that change or have holes") struct SparseMapTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// A file of so many bytes with data at some places.
    private func made(_ size: Int, _ pieces: [Int: [UInt8]]) throws -> (file: FileDescriptor, path: String) {
        let path = "\(folder.path)/file"
        let file = try FileDescriptor(path, O_RDWR | O_CREAT | O_TRUNC, mode: 0o600)
        #expect(ftruncate(file.number, off_t(size)) == 0)
        for (place, bytes) in pieces { try bytes.withUnsafeBytes { try DescriptorIO.write($0, to: file.number, at: place) } }
        return (file, path)
    }

    private static let giga = 1 << 30

    @Test func `the data of a file of terabytes is found in no time`() throws {
        let size = 4 << 40
        let (file, _) = try made(size, [0: [1, 2, 3], 5 * Self.giga: Array("middle".utf8), size - 4: Array("tail".utf8)])
        let extents = FileExtents.data(of: file.number, size: size)
        try #require(extents.count == 3, "the file system of \(folder.path) keeps no holes")
        #expect(extents.allSatisfy { $0.count <= 1 << 16 } && extents[1].contains(5 * Self.giga) && extents[2].upperBound == size)
        #expect(lseek(file.number, 0, SEEK_CUR) == 0)

        let map = try SparseMap(file.number, size: size, maxHole: 128 << 10)
        #expect(map.bytes.count < 1 << 20 && map.skippedBytes == size - map.bytes.count)
        let text = String(decoding: map.bytes.filter { $0 >= 0x20 }, as: UTF8.self)
        #expect(text == "middletail")
        let middle = try #require(map.bytes.firstIndex(of: UInt8(ascii: "m")))
        #expect(map.fileOffset(of: middle) == 5 * Self.giga)
        #expect(map.fileOffset(of: map.bytes.count - 1) == size - 1 && map.fileOffset(of: 0) == 0)
        #expect(map.cutAt == nil)
        // A hole has the length that was asked for, and is zeros.
        #expect(map.bytes[(middle - 100_000)..<middle].allSatisfy { $0 == 0 })
    }

    @Test func `a file without holes is mapped as it is`() throws {
        let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 % 251) }
        let (file, _) = try made(bytes.count, [0: bytes])
        let map = try SparseMap(file.number, size: bytes.count, maxHole: 1)
        #expect(map.bytes.elementsEqual(bytes) && map.skippedBytes == 0 && map.fileOffset(of: 70_000) == 70_000)
    }

    @Test func `a file that is one hole and one that is empty are mapped`() throws {
        let (file, _) = try made(Self.giga, [:])
        let map = try SparseMap(file.number, size: Self.giga, maxHole: 4096)
        #expect(map.bytes.count == 4096 && map.bytes.allSatisfy { $0 == 0 })
        #expect(try SparseMap(file.number, size: 0, maxHole: 4096).bytes.isEmpty)
    }

    @Test func `of more holes than are shortened the longest ones are`() throws {
        var pieces: [Int: [UInt8]] = [:]
        for index in 0..<5000 { pieces[index * 65_536] = [7] }
        pieces[100 * Self.giga] = [8]
        let (file, _) = try made(101 * Self.giga, pieces)
        let map = try SparseMap(file.number, size: 101 * Self.giga, maxHole: 4096)
        #expect(map.bytes.count < 5000 * 65_536)
        #expect(map.bytes.reduce(into: 0) { $0 += $1 == 7 ? 1 : 0 } == 5000)
        let last = try #require(map.bytes.lastIndex(of: 8))
        #expect(map.fileOffset(of: last) == 100 * Self.giga)
    }

    @Test func `a mapped file that is cut short reads as zeros and says where`() throws {
        let bytes = [UInt8](repeating: 9, count: 20 << 12)
        let (file, path) = try made(bytes.count, [0: bytes])
        let whole = try MemoryMap(path: path)
        let other = try MemoryMap(path: path)
        #expect(ftruncate(file.number, 5 << 12) == 0)
        #expect(whole.cutAt == nil)
        #expect(whole.bytes.reduce(0) { $0 + Int($1) } == 9 * 5 << 12)
        #expect(whole.cutAt == 5 << 12)
        // Nobody has read behind the end of the other.
        #expect(other.bytes[100] == 9 && other.cutAt == nil)
        #expect(other.bytes[15 << 12] == 0 && other.cutAt == 15 << 12)
        #expect(other.bytes[6 << 12] == 0 && other.cutAt == 6 << 12)
    }

    @Test func `a mapped file is cut short under many readers at once`() async throws {
        let bytes = [UInt8](repeating: 1, count: 4 << 20)
        let (file, path) = try made(bytes.count, [0: bytes])
        let map = try MemoryMap(path: path)
        #expect(ftruncate(file.number, 4096) == 0)
        let sums = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<8 { group.addTask { map.bytes.reduce(0) { $0 + Int($1) } } }
            return await group.reduce(into: [Int]()) { $0.append($1) }
        }
        #expect(sums == Array(repeating: 4096, count: 8) && map.cutAt == 4096)
    }

    @Test func `mappings beyond the number that is guarded are refused`() async {
        // In a process of its own: others map files at the same time.
        await #expect(processExitsWith: .success) {
            var maps: [MemoryMap] = []
            var failure: FileError?
            for _ in 0..<600 where failure == nil {
                do throws(FileError) { maps.append(try MemoryMap(path: "/bin/sh")) } catch { failure = error }
            }
            #expect(maps.count == 512 && failure == .system(EMFILE))
            maps = []
            let again = try? MemoryMap(path: "/bin/sh")
            #expect(again != nil)
        }
    }

    @Test func `file systems of the kernel are told wherever they are`() throws {
        #expect(KernelFileSystem(of: try PathHandle("/proc")) == .proc)
        #expect(KernelFileSystem(of: try PathHandle("/proc/self/status")) == .proc)
        #expect(KernelFileSystem(of: try PathHandle("/sys")) == .sysfs)
        #expect(KernelFileSystem(of: try PathHandle("/")) == nil)
        #expect(KernelFileSystem(of: try PathHandle(folder.path)) == nil)
    }
}
