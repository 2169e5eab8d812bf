// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CenterServer

@Suite("Connections have room beside the files that are open") struct ConnectionRoomTests {
    @Test(arguments: [64, 100, 200, 256, 1024, 4096, 16384, 20000, 65536, 1_048_576], [0, 10, 30])
    func `no limit is used up by connections, and a generous one costs no place`(limit: Int, open: Int) throws {
        let room = try #require(ConnectionRoom(limit: limit, open: open))
        #expect(room.places + ConnectionRoom.spare(besides: room.places) + open + 12 <= limit)
        #expect(room.places <= 16384)
        if limit >= 20000 { #expect(room.places == 16384) } else { #expect(room.places * 2 >= limit - open - 64) }
    }

    @Test func `a limit that isn't known bounds nothing`() {
        #expect(ConnectionRoom(limit: nil, open: 30)?.places == 16384)
    }

    @Test(arguments: [(20, 10), (1024, 1020), (0, 0), (64, 64), (10, 64)]) func `next to no room is none`(limit: Int, open: Int) {
        #expect(ConnectionRoom(limit: limit, open: open) == nil)
        #expect(ConnectionRoom(limit: ConnectionRoom.minLimit(open: open), open: open) != nil)
        #expect(ConnectionRoom(limit: ConnectionRoom.minLimit(open: open) - 1, open: open) == nil)
    }
}
