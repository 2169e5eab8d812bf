// SPDX-License-Identifier: Apache-2.0

import Disassembly
import EpitopeModel
import TestSupport
import Testing

/// Code is told from what lies beside it. All bytes are data that is never run.
@Suite struct CodeExtentTests {
    private func random(_ count: Int, seed: UInt64) -> [UInt8] {
        var random = SeededGenerator(seed: seed)
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    }

    private func extent(_ bytes: [UInt8], caller: Int?, _ architecture: Architecture = .x86_64) -> CodeExtent {
        CodeExtent(of: ExtractedCode(base: 0x7f00_0000_0000, bytes: bytes, isWholeRegion: true), caller: caller, architecture: architecture)
    }

    /// 20 made-up instructions and a system call.
    private var code: [UInt8] { InertInstructions.bytes(60, seed: 4) + [0x0f, 0x05] }

    @Test(arguments: ProtocolHead.all) func `the constant head of a request is not code`(head: ProtocolHead) {
        let bytes = head.bytes + code
        let found = extent(bytes, caller: bytes.count)
        #expect(found.around.upperBound == bytes.count)
        #expect(abs(found.around.lowerBound - head.bytes.count) <= 6, "\(head.name): \(found.around)")
        #expect(!found.elsewhere.contains { $0.overlaps(0..<head.bytes.count) }, "\(head.name)")
        // Nor with a body that is no code to anybody who doesn't know its key.
        let encoded = head.bytes + random(200, seed: 9) + [0x0f, 0x05]
        #expect(!extent(encoded, caller: encoded.count).ranges.contains { $0.overlaps(0..<head.bytes.count - 8) }, "\(head.name)")
    }

    @Test func `text is no code in any coding`() {
        let text = "POST /cart HTTP/1.1\r\nHost: shop.example.com\r\nAccept: text/html,application/json;q=0.9\r\n\r\n"
        for bytes in TextForms.all(of: text) {
            let whole = bytes + code
            let found = extent(whole, caller: whole.count)
            // A few characters may pass for instructions.
            #expect(found.around.lowerBound >= bytes.count - 16, "\(String(decoding: bytes.prefix(20), as: UTF8.self))")
            // Capitals are pushes and pops: what is made of them alone (base32) is told as text, not here.
            let isOfCapitals = bytes.allSatisfy { !(0x61...0x7a).contains($0) }
            #expect(found.elsewhere.isEmpty || isOfCapitals)
        }
    }

    @Test func `a decoder far from the call is code`() {
        let decoder = InertInstructions.bytes(30, seed: 6)
        let bytes = random(40, seed: 1) + decoder + random(300, seed: 2) + [0x0f, 0x05] + random(30, seed: 3)
        let found = extent(bytes, caller: 372)
        #expect(found.elsewhere.contains { $0.clamped(to: 40..<70).count >= 24 })
        #expect(found.holds(44..<66) && !found.holds(150..<200))
    }

    @Test func `a short loop is code, and the same bytes without their branch back are not`() {
        // A count, and arithmetic on the bytes that a register points to.
        let loop: [UInt8] = [0x48, 0x31, 0xc0, 0x6a, 0x20, 0x59, 0x80, 0x34, 0x0f, 0x5a, 0xff, 0xc9, 0x75, 0xf8]
        let zeros = [UInt8](repeating: 0, count: 64)
        #expect(extent(zeros + loop + zeros, caller: nil).elsewhere.count == 1)
        #expect(extent(zeros + loop.dropLast(2) + zeros, caller: nil).elsewhere.isEmpty)
    }

    @Test func `code goes on behind the call`() {
        let behind = InertInstructions.bytes(40, seed: 8)
        let bytes = zerosAndCode + behind + [UInt8](repeating: 0, count: 60)
        let found = extent(bytes, caller: zerosAndCode.count)
        #expect(abs(found.around.upperBound - zerosAndCode.count - behind.count) <= 4)
    }

    private var zerosAndCode: [UInt8] { [UInt8](repeating: 0, count: 50) + code }

    @Test func `32-bit and arm64 code have their own instructions`() {
        let old = Samples.code
        let found = CodeExtent(of: old, caller: old.offset(of: Samples.callersAddress), architecture: .x86_32)
        #expect(found.around.lowerBound <= 8 && found.around.upperBound >= 52)
        // mov x1, xzr; add x2, x2, #1 and so on; svc #0.
        let words: [UInt32] = [0xaa1f_03e1, 0x9100_0442, 0xd280_0060, 0x8b00_0041, 0xaa03_03e4, 0xd400_0001]
        let code = words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) } }
        let text = Array("Host: shop.example.com\r\n".utf8)
        #expect(extent(text + code, caller: 48, .arm64).around.upperBound == 48)
        #expect(extent(text + code, caller: 48, .arm64).around.clamped(to: 24..<48).count >= 20)
    }

    @Test func `nothing is code in an empty buffer or without a chain to the call`() {
        #expect(extent([], caller: 0).ranges.isEmpty)
        #expect(extent([0, 0, 0, 0], caller: 4).ranges.isEmpty)
        #expect(extent([0x0f, 0x05], caller: 2).around == 0..<2)
    }
}
