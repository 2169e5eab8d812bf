// SPDX-License-Identifier: Apache-2.0

import Disassembly
import EpitopeModel
import InputFiles
import TestSupport

extension FuzzParser {
    /// Core dumps, and whatever else a responder names.
    static let coreDump = FuzzParser(
        name: "core-dump", what: "files told by their beginning; core dumps: regions, threads, callers proposed",
        dictionary: [
            [0x7f, 0x45, 0x4c, 0x46], [4, 0], [0xff, 0xff], [0xff, 0xff, 0xff, 0xff], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
            Array("CORE\u{0}".utf8), Array("ELIF".utf8), [1, 0, 0, 0], [6, 0, 0, 0], [0x0f, 5], [0xff, 0xd0], [0, 0x10, 0, 0, 0, 0, 0, 0],
        ],
        hotPlaces: { [0..<min(64, $0.count), 64..<max(64, min(400, $0.count)), 0..<$0.count] },
        seeds: { _ in Architecture.allCases.flatMap { [CoreFile.sample($0).bytes, CoreFile.sample($0, manySegments: true).bytes] } },
        run: { input, _ in
            _ = FileKind(head: input.prefix(FileKind.headBytes)).description
            let read: CoreDump.Reader = { offset, count in
                guard offset <= UInt64(input.count), count >= 0 else { return nil }
                return Array(input[Int(offset)...].prefix(count))
            }
            let core = try CoreDump(size: UInt64(input.count), read: read)
            for region in core.regions where region.end <= region.start || region.stored > region.end - region.start {
                broken("a region has no bytes, or more than its length")
            }
            for caller in CallerSearch.callers(in: core, read: read) {
                guard let region = core.region(ofCaller: caller.address) else { broken("a caller is proposed in no region") }
                let before = core.bytes(at: region.start, count: Int(clamping: caller.address - region.start), read: read)
                if UInt64(before.count) != caller.address - region.start { broken("a caller is proposed where there is no memory") }
            }
            _ = (core.unbackedCode, core.changedImages)
        })
}
