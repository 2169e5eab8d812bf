// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Glibc
import ProcessInspection
import Testing

@testable import SeccompBackend
@testable import UnwindTables

@Suite struct FrameProgramTests {
    /// Runs instructions on top of what a compiler's common part says: CFA = rsp + 8, return address below.
    private func size(_ bytes: [UInt8], at target: UInt64) -> Int? {
        let program = FrameProgram(codeAlignment: 1, dataAlignment: -8)
        let initial = FrameProgram.Row(register: 7, offset: 8, returnsBelow: true)
        return bytes.withUnsafeBytes { raw in
            var reader = ByteReader(raw, from: 0, to: raw.count)
            return program.run(&reader, from: initial, initial: initial, target: target)?.size
        }
    }

    @Test func `frame grows and shrinks along the function`() {
        // advance 1, offset 16; remember, advance 4, offset 64; advance 10, restore
        let bytes: [UInt8] = [0x41, 0x0E, 16, 0x86, 2, 0x0A, 0x44, 0x0E, 64, 0x02, 10, 0x0B]
        #expect([0, 1, 4, 5, 14, 15, 999].map { size(bytes, at: $0) } == [8, 16, 16, 64, 64, 16, 16])
    }

    @Test(
        arguments: [
            [0x0D, 6], [0x0C, 6, 16], [0x0F, 1, 0x77], [0x0F, 200, 1], [0x0E], [0x0E, 0x80], [0x0B], [0x3F],
            [0x0E, 7], [0x0E, 0], [0x07, 16], [0x90, 2], [0x0E, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
            [0x13, 0x7F, 0x0D, 3], [0x16, 16, 0], [UInt8](repeating: 0x0A, count: 40),
        ] as [[UInt8]]) func `what is no distance from the stack pointer gives no answer`(_ bytes: [UInt8])
    {
        #expect(size(bytes, at: 100) == nil)
    }
}

@Suite struct UnwindTableTests {
    private static func libc() throws -> (header: [UInt8], layout: UnwindTable.Layout, tables: [UInt8]) {
        let descriptor = open("/lib/x86_64-linux-gnu/libc.so.6", O_RDONLY | O_CLOEXEC)
        defer { close(descriptor) }
        try #require(descriptor >= 0)
        var header = [UInt8](repeating: 0, count: UnwindTable.maxHeaderSize)
        try #require(pread(descriptor, &header, header.count, 0) == header.count)
        let layout = try #require(UnwindTable.layout(ofImage: header))
        let range = try #require(UnwindTable.range(of: layout))
        var tables = [UInt8](repeating: 0, count: range.count)
        try #require(pread(descriptor, &tables, tables.count, off_t(range.offset)) == tables.count)
        return (header, layout, tables)
    }

    @Test(arguments: ["sendto", "connect", "execve", "sendmsg", "accept4", "bind"])
    func `frame of a librarys function is known at its start`(_ name: String) throws {
        let (_, layout, bytes) = try Self.libc()
        let table = try #require(UnwindTable(layout, bytes))
        let function = try #require(dlsym(nil, name))
        let maps = MapEntry.entries(inMaps: try #require(ProcFS.text(of: getpid(), "maps")))
        let base = try #require(maps.first { $0.name.hasSuffix("/libc.so.6") && $0.offset == 0 }).start
        // At its first instruction the return address is all that lies on the stack.
        #expect(table.frameSize(at: UInt64(UInt(bitPattern: function)) - base) == 8)
    }

    @Test func `truncated and changed tables never trap`() throws {
        let (header, layout, bytes) = try Self.libc()
        let text = layout.segments.first { $0.address > 0 }?.address ?? 0
        for count in [0, 1, 11, 12, 100, 4096, bytes.count / 2] {
            let table = UnwindTable(layout, Array(bytes.prefix(count)))
            #expect(table == nil || count > 12)
            for step in UInt64(0)..<50 { _ = table?.frameSize(at: text + step * 4099) }
        }
        var random = SystemRandomNumberGenerator()
        for _ in 0..<20 {
            var changed = bytes
            for _ in 0..<2000 { changed[Int.random(in: 12..<changed.count, using: &random)] = UInt8.random(in: 0...255) }
            let table = UnwindTable(layout, changed)
            for _ in 0..<200 { _ = table?.frameSize(at: UInt64.random(in: 0..<0x200000, using: &random)) }
            var head = Array(header.prefix(2048))
            for _ in 0..<40 { head[Int.random(in: 16..<1000, using: &random)] = UInt8.random(in: 0...255) }
            _ = UnwindTable.layout(ofImage: head).flatMap { UnwindTable.range(of: $0) }
        }
        var huge = bytes
        for index in 8..<12 { huge[index] = 0xFF }
        #expect(UnwindTable(layout, huge) == nil)
    }
}
