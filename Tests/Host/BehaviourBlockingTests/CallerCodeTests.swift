// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import Testing

@Suite struct CallerCodeTests {
    static let code = (0..<100).map { UInt8($0) }

    @Test func `pieces end at the caller and lie around it`() {
        let pieces = CallerCode.pieces(of: Self.code, startingAt: 0x1000, callersAddress: 0x1000 + 40)
        #expect(pieces == [Array(8..<40), Array(24..<56)])
    }

    @Test func `pieces are shorter where the region begins or ends close to the caller`() {
        #expect(
            CallerCode.pieces(of: Self.code, startingAt: 0x1000, callersAddress: 0x1000 + 20) == [Array(0..<20), Array(4..<36)])
        #expect(
            CallerCode.pieces(of: Self.code, startingAt: 0x1000, callersAddress: 0x1000 + 100) == [Array(68..<100), Array(84..<100)])
        // Fewer than 16 bytes match by chance.
        #expect(CallerCode.pieces(of: Self.code, startingAt: 0x1000, callersAddress: 0x1000 + 15) == [Array(0..<31)])
        #expect(CallerCode.pieces(of: Array(Self.code[..<20]), startingAt: 0x1000, callersAddress: 0x1000 + 10) == [Array(0..<20)])
        #expect(CallerCode.pieces(of: Array(Self.code[..<10]), startingAt: 0x1000, callersAddress: 0x1000 + 10) == [])
    }

    @Test func `a caller outside of the code has no pieces`() {
        #expect(CallerCode.pieces(of: Self.code, startingAt: 0x1000, callersAddress: 0xFFF) == [])
        #expect(CallerCode.pieces(of: Self.code, startingAt: 0x1000, callersAddress: 0x1000 + 101) == [])
    }

    @Test func `range to read begins no earlier than the region`() {
        #expect(CallerCode.range(aroundCaller: 0x1040, regionStart: 0x1000) == (0x1020, 48))
        #expect(CallerCode.range(aroundCaller: 0x1008, regionStart: 0x1000) == (0x1000, 24))
        #expect(CallerCode.range(aroundCaller: 0x1000, regionStart: 0x2000) == (0x1000, 16))
    }
}
