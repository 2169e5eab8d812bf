// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures
import TestSupport
import Testing

@Suite struct CallerWindowTests {
    @Test func `the window of the published vector is exact`() throws {
        #expect(try CallerWindow.extract(from: Samples.code, callersAddress: Samples.callersAddress) == Samples.callerWindow)
    }

    @Test func `a window moves forward only as far as necessary`() throws {
        let code = ExtractedCode(base: 0x1000, bytes: (0..<64).map { UInt8($0) }, isWholeRegion: true)
        #expect(try CallerWindow.extract(from: code, callersAddress: 0x1020) == (0..<32).map { UInt8($0) })
        #expect(try CallerWindow.extract(from: code, callersAddress: 0x1021) == (1..<33).map { UInt8($0) })
        #expect(try CallerWindow.extract(from: code, callersAddress: 0x1005) == (0..<32).map { UInt8($0) })
        #expect(try CallerWindow.extract(from: code, callersAddress: 0x1040) == (32..<64).map { UInt8($0) })
    }

    @Test(arguments: [8, 9, 31, 32, 33, 255, 256])
    func `a window of a chosen length ends at the caller's address, or moves forward only as far as necessary`(length: Int) throws {
        let code = ExtractedCode(base: 0x1000, bytes: (0..<600).map { UInt8(truncatingIfNeeded: $0 &* 7) }, isWholeRegion: true)
        let window = try CallerWindow.extract(from: code, callersAddress: 0x1000 + 300, length: length)
        #expect(window == Array(code.bytes[300 - length..<300]))
        #expect(try CallerWindow.extract(from: code, callersAddress: 0x1003, length: length) == Array(code.bytes[..<length]))
        #expect(try CallerWindow.extract(from: code, callersAddress: 0x1000 + 600, length: length) == Array(code.bytes[(600 - length)...]))
        #expect(CallerWindow.lengths.contains(length))
    }

    @Test func `code that is shorter than a window is the window`() throws {
        let code = ExtractedCode(base: 0x1000, bytes: [1, 2, 3], isWholeRegion: true)
        #expect(try CallerWindow.extract(from: code, callersAddress: 0x1002) == [1, 2, 3])
    }

    @Test(arguments: [0xfff, 0x1000, 0x1041, UInt64.max])
    func `a caller outside the code is rejected`(address: UInt64) {
        let code = ExtractedCode(base: 0x1000, bytes: Array(repeating: 1, count: 64), isWholeRegion: true)
        let error = #expect(throws: EpitopeError.self) {
            try CallerWindow.extract(from: code, callersAddress: address)
        }
        #expect(error?.code == .callerOutsideCode)
    }
}
