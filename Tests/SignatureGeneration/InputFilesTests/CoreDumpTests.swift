// SPDX-License-Identifier: Apache-2.0

import Disassembly
import EpitopeModel
import Foundation
import InputFiles
import TestSupport
import Testing

private func reader(_ bytes: [UInt8]) -> CoreDump.Reader {
    { offset, count in offset <= UInt64(bytes.count) ? Array(bytes[Int(offset)...].prefix(count)) : nil }
}

private func dump(_ bytes: [UInt8]) throws -> CoreDump { try CoreDump(size: UInt64(bytes.count), read: reader(bytes)) }

@Suite("Core dumps") struct CoreDumpTests {
    @Test(arguments: Architecture.allCases, [false, true])
    func `regions files and threads are those of the process`(_ architecture: Architecture, _ manySegments: Bool) throws {
        let core = try dump(CoreFile.sample(architecture, manySegments: manySegments).bytes)
        #expect(core.architecture == architecture && core.hasFileList && !core.isCutShort)
        #expect(core.regions.map(\.start) == [0x40_0000, 0x7000_0000, 0x7f00_0000, 0x7fff_0000])
        #expect(core.regions.map(\.rights) == ["r-x", "rwx", "rw-", "r-x"])
        #expect(core.regions.map(\.file) == ["/usr/bin/sample", nil, nil, nil])
        #expect(core.regions.map(\.stored) == [0, 4096, 4096, 4096])
        // Neither the program's own code, nor data, nor the kernel's page.
        #expect(core.unbackedCode.map(\.start) == [0x7000_0000])
        #expect(core.threads.map(\.id) == [4711] && core.threads.map(\.systemCall) == [42])
        #expect(core.threads.map(\.instruction) == [0x7000_0030 - (architecture == .arm64 ? 40 : 0)])
    }

    @Test func `memory files and removed files are no files on a disk`() throws {
        var file = CoreFile.sample(.x86_64)
        for (index, name) in [
            "/memfd:payload (deleted)", "/tmp/gone (deleted)", "/dev/zero (deleted)", "/SYSV00000000 (deleted)", "/lib/x.so",
        ].enumerated() {
            file.regions.append(.init(start: 0x5000_0000 + UInt64(index) << 16, bytes: [0xc3], stored: 0, rights: "rx", file: name))
        }
        #expect(try dump(file.bytes).unbackedCode.count == 5)
    }

    @Test func `code of a file that the dump holds as a whole may have been written to`() throws {
        var file = CoreFile.sample(.x86_64)
        file.regions.append(.init(start: 0x5000_0000, bytes: [UInt8](repeating: 0x90, count: 8192), rights: "rx", file: "/lib/x.so"))
        #expect(try dump(file.bytes).changedImages.map(\.file) == ["/lib/x.so"])
        // All of them are in it: dumped by another filter.
        file.regions[0].stored = nil
        #expect(try dump(file.bytes).changedImages == [])
    }

    @Test func `of regions that overlap the first counts`() throws {
        var file = CoreFile.sample(.x86_64)
        file.regions.append(.init(start: 0x7000_0010, bytes: [UInt8](repeating: 0xc3, count: 64)))
        file.regions.append(.init(start: 0x6fff_f000, bytes: [1, 2, 3, 4]))
        let bytes = file.bytes
        let core = try dump(bytes)
        #expect(core.regions.map(\.start) == [0x40_0000, 0x6fff_f000, 0x7000_0000, 0x7f00_0000, 0x7fff_0000])
        #expect(core.region(ofCaller: 0x7000_0011)?.start == 0x7000_0000)
        #expect(core.bytes(at: 0x6fff_f000, count: 99, read: reader(bytes)) == [1, 2, 3, 4])
    }

    @Test func `a dump without a list of files is known for it`() throws {
        var file = CoreFile.sample(.x86_64)
        file.hasFileList = false
        let core = try dump(file.bytes)
        #expect(!core.hasFileList && core.unbackedCode.count == 2)
    }

    @Test func `a dump that is cut short anywhere is read as far as it goes`() throws {
        let whole = CoreFile.sample(.x86_64).bytes
        for length in [400, 700, 1000, whole.count - 4097, whole.count - 1] {
            let core = try dump(Array(whole[..<length]))
            #expect(core.isCutShort, "\(length)")
        }
        for length in [0, 3, 63] { #expect(throws: EpitopeError.self) { try dump(Array(whole[..<length])) } }
    }

    private static let contradictions: [(Int, UInt8)] = [(18, 8), (18, 243), (54, 0), (16, 2), (32, 255)]

    @Test(arguments: contradictions)
    func `a header that contradicts itself is refused with its code`(_ place: Int, _ value: UInt8) throws {
        var bytes = CoreFile.sample(.x86_64).bytes
        bytes[place] = value
        if place == 32 { for index in 32..<40 { bytes[index] = value } }
        let error = #expect(throws: EpitopeError.self) { try dump(bytes) }
        #expect(error?.code == .coreMalformed)
    }

    @Test func `a number of segments that no memory has is refused`() throws {
        var bytes = CoreFile.sample(.x86_64, manySegments: true).bytes
        let table = bytes[40..<48].reversed().reduce(0) { $0 << 8 | Int($1) }
        bytes.replaceSubrange(table + 44..<table + 48, with: [0xff, 0xff, 0xff, 0xff])
        #expect(throws: EpitopeError.self) { try dump(bytes) }
    }
}

@Suite("Proposed callers") struct CallerSearchTests {
    private func callers(_ file: CoreFile) throws -> [ProposedCaller] {
        let bytes = file.bytes
        return CallerSearch.callers(in: try dump(bytes), read: reader(bytes))
    }

    @Test(arguments: Architecture.allCases) func `the call that a thread waits in is proposed first`(_ architecture: Architecture) throws {
        let file = CoreFile.sample(architecture)
        let callers = try callers(file)
        let first = try #require(callers.first)
        #expect(first.address == file.threads[0].instruction && first.reason == .thread(id: 4711))
        #expect(first.call.kind == .systemCall)
        let number: UInt32 = architecture == .x86_64 ? 42 : architecture == .x86_32 ? 362 : 203
        #expect(first.call.number == number)
        #expect(ProposedCaller.only(of: callers, end: nil) == first)
    }

    @Test func `what a stack returns to is proposed where a call ends`() throws {
        var file = CoreFile.sample(.x86_64)
        // call rax; and addresses in the region behind which no call ends.
        file.regions[1].bytes.replaceSubrange(0x100..<0x102, with: [0xff, 0xd0])
        file.threads[0].instruction = 0x40_0010
        func put(_ value: UInt64, at place: Int) {
            file.regions[2].bytes.replaceSubrange(place..<place + 8, with: (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) })
        }
        put(0x7000_0050, at: 0x820)
        put(0x7000_0102, at: 0x840)
        // Below the stack pointer is what was.
        put(0x7000_0030, at: 0x700)
        let callers = try callers(file)
        #expect(callers.first?.address == 0x7000_0102 && callers.first?.reason == .stack(thread: 4711, at: 0x7f00_0840))
        #expect(callers.first?.call.text == "call rax")
        #expect(callers.filter { $0.reason < .code }.count == 1)
        #expect(ProposedCaller.only(of: callers, end: nil) == callers.first)
    }

    @Test func `nothing is proposed of a process whose code is all of files`() throws {
        var file = CoreFile.sample(.x86_64)
        file.regions.remove(at: 1)
        #expect(try callers(file) == [])
    }

    /// push 0x29; pop rax; syscall; push 0x2a; pop rax; syscall.
    private static let twoCalls: [UInt8] = [0x6a, 0x29, 0x58, 0x0f, 0x05, 0x6a, 0x2a, 0x58, 0x0f, 0x05, 0xc3, 0xc3]

    @Test func `the system calls of code are listed with their numbers`() {
        let code = ExtractedCode(base: 0x1000, bytes: Self.twoCalls, isWholeRegion: true)
        let callers = CallerSearch.callers(in: code, architecture: .x86_64)
        #expect(callers.map(\.address) == [0x1005, 0x100a] && callers.map(\.call.number) == [0x29, 0x2a])
        // Two may be meant, and none of them ends the code.
        #expect(ProposedCaller.only(of: callers, end: 0x100c) == nil)
    }

    private static let loads: [(String, UInt32?)] = [
        ("b83b0000000f05", 59), ("31c0b03b0f05", 59), ("6a3b5848890f05", 59), ("31c00f05", 0), ("48c7c02a0000000f05", 42),
        ("89c80f05", nil), ("b00bcd80", 11), ("0f05", nil), ("b83b000000e8000000000f05", nil),
    ]

    @Test(arguments: loads)
    func `the number of a system call is the one that is loaded before it`(_ hex: String, _ number: UInt32?) throws {
        let code = ExtractedCode(base: 0x1000, bytes: try #require(Hex.decode(hex)), isWholeRegion: true)
        let callers = CallerSearch.callers(in: code, architecture: .x86_64)
        #expect(callers.last?.call.number == number, "\(callers)")
    }

    @Test func `a call that ends the code or the only system call is taken without asking`() {
        func only(_ bytes: [UInt8], _ end: Int) -> UInt64? {
            let code = ExtractedCode(base: 0, bytes: bytes, isWholeRegion: true)
            return ProposedCaller.only(of: CallerSearch.callers(in: code, architecture: .x86_64), end: UInt64(end))?.address
        }
        #expect(only(Self.twoCalls, 10) == 10)
        #expect(only([0x90, 0x0f, 0x05, 0x90, 0xc3], 5) == 3)
        #expect(only([0x90, 0x0f, 0x05, 0xff, 0xd0, 0xc3], 6) == nil)
        #expect(only([0x90, 0xff, 0xd0, 0xc3], 4) == nil)
        #expect(only([0x90, 0x90, 0xc3], 3) == nil)
    }

    @Test func `a call that a linear sweep misses is listed`() {
        // The first byte swallows the call in a sweep: mov eax, 0x..050f....
        let code = ExtractedCode(base: 0, bytes: [0xb8, 0x90, 0x0f, 0x05, 0x90, 0x90, 0xc3], isWholeRegion: true)
        #expect(CallerSearch.callers(in: code, architecture: .x86_64).map(\.address) == [4])
    }

    @Test func `a stack of nothing but addresses of code is searched in bounded time`() throws {
        var file = CoreFile.sample(.x86_64)
        file.regions[1].bytes = [UInt8](repeating: 0x90, count: 1 << 17)
        let stack = (0..<(1 << 12)).flatMap { index in (0..<8).map { UInt8(truncatingIfNeeded: (0x7000_0001 + index * 31) >> (8 * $0)) } }
        file.regions[2].bytes = stack
        file.threads = (0..<8).map { .init(id: UInt32($0 + 1), instruction: 0, stackPointer: 0x7f00_0000 + UInt64($0 * 8)) }
        #expect(try callers(file) == [])
    }
}

/// A dump that this machine's kernel writes.
@Suite("Core dumps of this kernel") struct KernelCoreTests {
    private static let pattern = (try? KernelFile.text("/proc/sys/kernel/core_pattern")) ?? "|"

    @Test(
        .enabled(if: pattern.hasPrefix("core"), "core dumps of this machine go elsewhere (kernel.core_pattern)"),
        arguments: ["direct", "library"])
    func `the call that a stub waits in is found in the dump of its process`(_ form: String) async throws {
        let folder = try TemporaryFolder()
        let program = Fixtures.path("call-stub")
        let stub = try RunningProcess([
            "/bin/sh", "-c", "ulimit -c unlimited && cd \"$1\" && exec env SWIFT_BACKTRACE=enable=no \"$2\" \"$3\" anonymous pause 9", "sh",
            folder.path, program, form,
        ])
        try await stub.line(with: "expected")
        // pause(2) has this number (asm/unistd_64.h).
        try await eventually("the stub in its call") {
            (try? KernelFile.text("/proc/\(stub.identifier)/syscall"))?.hasPrefix("34 ") == true
        }
        #expect(try await stub.end(SIGABRT) == 128 + SIGABRT)
        let name = try #require(try FileManager.default.contentsOfDirectory(atPath: folder.path).first { $0.hasPrefix("core") })
        let bytes = Array(try Data(contentsOf: URL(filePath: "\(folder.path)/\(name)")))
        let core = try dump(bytes)
        let announced = Announcement(stub.output)
        let (base, expected) = (try #require(announced.base), try #require(announced.callersAddress))
        #expect(core.hasFileList && !core.isCutShort && core.threads.contains { $0.id == stub.identifier })
        #expect(core.unbackedCode.map(\.start) == [base], "\(core.regions.filter(\.isExecutable))")
        #expect(Array(core.bytes(at: base, count: announced.code.count, read: reader(bytes))) == announced.code)
        let callers = CallerSearch.callers(in: core, read: reader(bytes))
        #expect(ProposedCaller.only(of: callers, end: nil)?.address == expected, "\(callers)")
    }
}
