// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Glibc
import ProcessInspection
import Testing

@testable import SeccompBackend
@testable import UnwindTables

@Suite struct CallFormTests {
    private func readings(_ hex: String) throws -> [CallForm] { CallForm.readings(of: try #require(Hex.decode(hex)), endingAt: 0x1000) }

    @Test func `a call says what it calls`() throws {
        #expect(try readings("e8fbffffff") == [.direct(0xFFB)])
        #expect(try readings("67e800010000") == [.direct(0x1100)])
        #expect(try readings("9090ff1510000000") == [.slot(0x1010)])
        for indirect in ["ffd0", "41ffd3", "3effd0", "ff10", "ff5008", "ff9000010000", "ff142501000000", "41ff542408"] {
            #expect(try readings(indirect) == [.indirect], "\(indirect)")
        }
    }

    @Test(arguments: ["", "ff", "c3", "0f05", "ffe0", "ff2510000000", "e910000000", "9090909090909090", "ff151000"])
    func `what is no call has no reading`(_ hex: String) throws {
        #expect(try readings(hex) == [])
    }

    @Test func `bytes that can be read as two calls are both`() throws {
        #expect(try readings("e8aabbffd0") == [.direct(0x1000 &+ UInt64(bitPattern: Int64(Int32(bitPattern: 0xD0FF_BBAA)))), .indirect])
    }
}

@Suite struct FunctionJumpsTests {
    private func jumps(_ hex: String) throws -> FunctionJumps {
        let code = try #require(Hex.decode(hex))
        return FunctionJumps(in: code, at: 0x1000, of: 0x1000..<0x1000 + UInt64(code.count))
    }

    @Test func `jumps that leave a function are found and those within are not`() throws {
        #expect(try jumps("4889f7e9f7000000").far == [0x10FF])
        #expect(try jumps("85c00f84f8000000c3").far == [0x1100])
        #expect(try jumps("ebfe90eb10c3").near == [0x1015])
        #expect(try jumps("ff25fa0f0000").slots == [0x2000])
        #expect(try jumps("e900000000c3") == FunctionJumps(in: [], at: 0, of: 0..<0))
    }

    @Test(arguments: ["ffe0", "3effe0", "41ffe3", "ff24c500100000", "48890424c3", "4c891c24c3"])
    func `jumps through registers and memory are known as such`(_ hex: String) throws {
        #expect(try jumps(hex).isIndirect)
    }

    @Test func `stubs of linkage tables name their slot`() throws {
        for stub in ["ff25fa0f0000", "f30f1efaff25f60f0000", "f30f1efaf2ff25f50f0000"] {
            #expect(FunctionJumps.slot(ofStub: try #require(Hex.decode(stub)), at: 0x1000) == 0x2000, "\(stub)")
        }
        #expect(FunctionJumps.slot(ofStub: [0xF3, 0x0F, 0x1E, 0xFA], at: 0) == nil)
        for stub in ["6801000000e9d0ffffff", "f30f1efa6801000000f2e9d0ffffff"] {
            #expect(FunctionJumps.isUnresolvedStub(try #require(Hex.decode(stub))), "\(stub)")
        }
    }
}

/// The C library of this machine, by its file.
@Suite struct CodeImageTests {
    private func libc() throws -> (image: CodeImage, base: UInt64) {
        let maps = MapEntry.entries(inMaps: try #require(ProcFS.text(of: getpid(), "maps")))
        let entry = try #require(maps.first { $0.name.hasSuffix("/libc.so.6") && $0.offset == 0 })
        let file = try FileDescriptor(entry.name, O_RDONLY)
        return (CodeImage(.init(.init(entry)), file, try file.status(), isLoader: false), entry.start)
    }

    private func address(_ name: String, _ base: UInt64) throws -> UInt64 {
        UInt64(UInt(bitPattern: try #require(dlsym(nil, name)))) - base
    }

    @Test(arguments: ["connect", "sendto", "execve", "system", "getppid"]) func `functions are known by name and range`(_ name: String)
        throws
    {
        let (image, base) = try libc()
        let function = try address(name, base)
        #expect(image.definedFunctions()?.addresses(named: Array(name.utf8)).contains(function) == true)
        #expect(image.table?.function(at: function)?.range.lowerBound == function)
        #expect(image.isNamedEntry(try #require(image.table?.function(at: function)).range))
    }

    @Test func `a system call is asked for by the code before it`() throws {
        let (image, base) = try libc()
        let start = try address("getppid", base)
        let code = image.bytes(at: start, count: 64)
        let index = try #require((0..<62).first { code[$0] == 0x0F && code[$0 + 1] == 0x05 })
        let place = try #require(image.headers?.fileOffset(of: start + UInt64(index) + 2))
        #expect(image.requestedCall(endingAt: place) == .call(nil))
        #expect(image.requestedCall(endingAt: place + 1) == .unknown)
    }

    /// Those that reach into other processes are critical, too.
    @Test(
        arguments: [
            ("ptrace", CriticalCall.ptrace), ("process_vm_writev", .processVMWritev), ("open64", .openMemory), ("connect", .connect),
            ("getppid", nil),
        ] as [(String, CriticalCall?)])
    func `a function makes the call that it asks for`(_ test: (function: String, call: CriticalCall?)) throws {
        let (image, base) = try libc()
        let start = try address(test.function, base)
        let range = try #require(image.table?.function(at: start)?.range)
        let code = image.bytes(at: start, count: range.count)
        let calls = (2..<code.count).filter { code[$0 - 2] == 0x0F && code[$0 - 1] == 0x05 }.compactMap { index in
            image.headers?.fileOffset(of: start + UInt64(index)).map { image.requestedCall(endingAt: $0) }
        }
        #expect(calls.contains(.call(test.call)), "\(calls)")
    }

    @Test func `truncated and changed headers never trap`() throws {
        let image = try libc().image
        let header = try DescriptorIO.bytes(image.file.number, at: 0, count: UnwindTable.maxHeaderSize)
        #expect(ImageHeaders(ofImage: header)?.dynamic != nil)
        for count in [0, 1, 63, 64, 100, 500] { #expect(ImageHeaders(ofImage: Array(header.prefix(count))) == nil) }
        var random = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            var changed = Array(header.prefix(2048))
            for _ in 0..<40 { changed[Int.random(in: 16..<1000, using: &random)] = UInt8.random(in: 0...255, using: &random) }
            let headers = ImageHeaders(ofImage: changed)
            _ = headers?.address(ofFileOffset: .max)
            _ = headers?.fileOffset(of: .max)
            _ = headers?.isCode(fileOffset: .max - 1)
            _ = DynamicTables(changed)
            _ = DynamicTables.content(ofSlot: 0, in: changed)
            let symbols = DynamicSymbols(symbols: changed, names: changed)
            #expect(symbols.addresses(named: []) == [])
            _ = symbols.addresses(named: [0x41])
        }
    }
}

@Suite struct FileBackingTests {
    private func backing(_ change: (inout MappedFile) -> Void) -> MemoryBacking {
        var file = MappedFile(path: "/x")
        change(&file)
        return file.backing
    }

    @Test func `a file that nobody touched is an image however it is mapped`() {
        #expect(backing { _ in } == .image(path: "/x"))
        #expect(backing { $0.isShared = true } == .image(path: "/x"))
        #expect(backing { $0.isNamed = false } == .image(path: "/x"))
        #expect(backing { ($0.isOpenForWriting, $0.isImage) = (true, false) } == .image(path: "/x"))
    }

    @Test func `a file that can be changed while it runs backs nothing`() {
        #expect(backing { ($0.isShared, $0.isWritable) = (true, true) } == .writtenFile(path: "/x"))
        #expect(backing { ($0.isShared, $0.isOpenForWriting) = (true, true) } == .writtenFile(path: "/x"))
        #expect(backing { ($0.isChanged, $0.isOpenForWriting) = (true, true) } == .writtenFile(path: "/x"))
        #expect(backing { ($0.isChanged, $0.isWritten, $0.isImage) = (true, true, false) } == .writtenFile(path: "/x"))
        #expect(backing { ($0.isNamed, $0.wasNeverNamed, $0.isImage) = (false, true, false) } == .writtenFile(path: "/x"))
    }

    @Test func `what is mapped of a device is anonymous memory`() {
        #expect(backing { $0.isDevice = true } == .anonymous)
        #expect(backing { ($0.isDevice, $0.isShared, $0.isWritable) = (true, true, true) } == .anonymous)
    }

    @Test func `what loaders make of an unpacked library is a file in memory`() {
        #expect(backing { ($0.isNamed, $0.isChanged, $0.isWritten) = (false, true, true) } == .memoryFile(name: "/x"))
        #expect(backing { ($0.isNamed, $0.wasNeverNamed) = (false, true) } == .memoryFile(name: "/x"))
    }

    @Test func `programs that were compiled or replaced meanwhile are images`() {
        #expect(backing { ($0.isChanged, $0.isWritten) = (true, true) } == .image(path: "/x"))
        #expect(backing { ($0.isNamed, $0.isChanged) = (false, true) } == .image(path: "/x"))
        #expect(backing { ($0.isNamed, $0.isChanged, $0.isWritten, $0.isProgram) = (false, true, true, true) } == .image(path: "/x"))
        #expect(backing { ($0.isNamed, $0.isReplaced, $0.isChanged, $0.isWritten) = (false, true, true, true) } == .image(path: "/x"))
    }
}
