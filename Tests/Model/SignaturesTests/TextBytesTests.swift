// SPDX-License-Identifier: Apache-2.0

import Signatures
import TestSupport
import Testing

@Suite("Text is recognised in any usual coding")
struct TextBytesTests {
    private let text = "GET /shop HTTP/1.1\r\nHost: www.example.com\r\nCookie: a=b; c=d\r\n\r\n"

    @Test func `every window of a text is text`() {
        for bytes in TextForms.all(of: text) {
            for start in 0...bytes.count - 32 { #expect(TextBytes.isMostlyText(Array(bytes[start..<start + 32]))) }
        }
    }

    @Test func `texts of other alphabets are text in their usual codings`() {
        for (coding, bytes) in TextForms.ofOtherAlphabets {
            #expect(bytes.count >= 24 && TextBytes.isMostlyText(bytes), "\(coding): \(bytes)")
        }
    }

    @Test func `letters of other alphabets, and strings behind lengths or end marks, are text`() {
        #expect(TextBytes.isMostlyText(Array("Привет, как дела".utf8)))
        #expect(TextBytes.isMostlyText(Array("日本語の文章です".utf8)))
        #expect(TextBytes.isMostlyText(Array("\u{3}www\u{e}static-content\u{7}example\u{3}com\u{0}".utf8)))
        #expect(TextBytes.isMostlyText(Array("LANMAN1.0\u{0}\u{2}NT LM 0.12\u{0}".utf8)))
    }

    /// Bytes of letters in code pages, without words.
    @Test(arguments: [[0xcc], [0xcc, 0xc3], [0xff, 0xfe, 0xfd], [0xf8, 0xf8, 0xf8, 0xf8, 0xfc]] as [[UInt8]])
    func `fill of letters' bytes is not text`(fill: [UInt8]) {
        let filled = (0..<64).map { fill[$0 % fill.count] }
        #expect(TextBytes.ranges(in: filled).isEmpty)
        #expect(TextBytes.ranges(in: InertInstructions.bytes(40, seed: 3) + filled + [0xc3]).allSatisfy { $0.upperBound < 40 })
        // Beside text it ends the text, and hides none of it.
        for (coding, text) in TextForms.ofOtherAlphabets {
            let place = filled.count + 1..<filled.count + 1 + text.count
            let found = TextBytes.ranges(in: filled + [0x90] + text).reduce(0) { $0 + $1.clamped(to: place).count }
            #expect(2 * found >= text.count, "\(coding)")
        }
    }

    @Test func `code and random bytes are not text`() {
        for seed in 0..<200 as Range<UInt64> { #expect(!TextBytes.isMostlyText(InertInstructions.bytes(32, seed: seed))) }
        #expect(!TextBytes.isMostlyText(Samples.callerWindow))
        var random = SeededGenerator(seed: 5)
        let drawn = (0..<500).count { _ in
            TextBytes.isMostlyText((0..<32).map { _ in UInt8.random(in: 0...255, using: &random) })
        }
        #expect(drawn <= 5)
        #expect(!TextBytes.isMostlyText([]))
    }

    @Test func `a name pushed by code makes no text of it`() {
        // push, mov and a name in between.
        let code: [UInt8] =
            [0x48, 0x31, 0xd2, 0x52, 0x48, 0xbb] + Array("//usr/in".utf8) + [0x53, 0x48, 0x89, 0xe7, 0x50, 0x57]
            + [0x48, 0x89, 0xe6, 0xb8, 0x3b, 0, 0, 0, 0x0f, 0x05]
        #expect(!TextBytes.isMostlyText(code))
        #expect(TextBytes.ranges(in: code).contains { $0.count >= 8 })
    }

    @Test func `a signature is text by the longest run of any token`() {
        func signature(_ tokens: [[UInt8]]) -> Signature { Signature(tokens: tokens.map { .init(bytes: $0) }, context: .any) }
        #expect(TextBytes.isPart(of: signature([Array(text.utf8.prefix(20))])))
        #expect(TextBytes.isPart(of: signature([Samples.callerWindow, Array("Cookie: session".utf8)])))
        #expect(!TextBytes.isPart(of: signature([Samples.callerWindow, [0x47, 0x45, 0x54]])))
        // Behind a mask, too.
        let masked = Signature.Token(bytes: Array("Accept: text/html".utf8) + [0, 0x90, 0xc3], masked: [17])
        #expect(TextBytes.isPart(of: Signature(tokens: [masked], context: .any)))
    }
}
