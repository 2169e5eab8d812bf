// SPDX-License-Identifier: Apache-2.0

import Foundation
import ProcessInspection
import Testing

/// The kernel gives its own files in pieces: none may get lost.
@Suite struct ProcFileTests {
    @Test func `a long file is read whole`() throws {
        // Mappings with other rights than their neighbours' stay apart: a line each.
        let pages = 400
        let room = try #require(mmap(nil, pages * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
        defer { munmap(room, pages * 4096) }
        for page in stride(from: 0, to: pages, by: 2) { mprotect(room + page * 4096, 4096, PROT_READ | PROT_WRITE) }
        let text = try #require(ProcFile.text("/proc/self/maps"))
        let last = UInt64(UInt(bitPattern: room)) + UInt64(pages - 1) * 4096
        #expect(text.utf8.count > 20_000)
        #expect(MapEntry.entries(inMaps: text).contains { $0.start == last })
    }

    @Test func `what is not there is nil`() {
        #expect(ProcFile.text("/proc/self/no-such-file") == nil)
        #expect(ProcFile.text("/proc/self") == nil)
    }
}
