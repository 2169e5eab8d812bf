// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import InputFiles
import TestSupport
import Testing

@Suite("Files are told by their first bytes") struct FileKindTests {
    private func kind(_ bytes: [UInt8]) -> FileKind { FileKind(head: bytes) }

    @Test(arguments: Architecture.allCases) func `a core dump is one`(_ architecture: Architecture) {
        #expect(kind(CoreFile.sample(architecture).bytes) == .core)
    }

    @Test func `programs of this machine are programs`() throws {
        for path in ["/bin/sh", "/proc/self/exe"] {
            let head = try FileHandle(forReadingFrom: URL(filePath: path)).read(upToCount: FileKind.headBytes) ?? Data()
            #expect(kind(Array(head)) == .program, "\(path)")
        }
        #expect(kind(Array("MZ\u{90}\0".utf8)) == .foreignProgram)
    }

    @Test(arguments: [
        ("d4c3b2a1020004000000", FileKind.pcap), ("a1b23c4d00020004", .pcap), ("0a0d0d0a1c000000", .pcapng), ("1f8b0800", .archive),
        ("504b0304140000", .archive), ("89504e470d0a1a0a", .document), ("ff", .other), ("eb155e31c0b03b0f05", .other), ("", .empty),
        ("0f05", .other), ("08011220", .other),
    ])
    func `a file of a known beginning is told`(_ hex: String, _ expected: FileKind) throws {
        #expect(kind(try #require(Hex.decode(hex))) == expected)
    }

    @Test func `a capture and an archive of tar are told`() {
        #expect(kind(NetworkFrame.capture([], link: 1)) == .pcap)
        #expect(kind([UInt8](repeating: 0x61, count: 257) + Array("ustar\u{0}00".utf8)) == .archive)
    }

    @Test(arguments: [
        (" \n{\"a\": 1}", FileKind.json), ("[1]", .json), ("alert udp any any -> any any (msg:\"x\";)", .rules),
        ("# ours\n\nrule X { condition: true }", .rules), ("# Save this\nEpitope.Signature-00-1;Engine:81-255,Target:0;0;0102", .rules),
        ("Their.Sig;Engine:51-255;0;0102", .rules), ("Read me.\n", .text), ("Ünïcödé ünd mehr", .text), ("a\u{0}b", .other),
    ])
    func `texts are told by what they say`(_ text: String, _ expected: FileKind) {
        #expect(kind(Array(text.utf8)) == expected)
    }

    @Test func `a character that the end of the head cuts leaves a text a text`() {
        for filling in 0..<4 {
            let text = String(repeating: "a", count: FileKind.headBytes - filling) + "äöü€😀"
            #expect(kind(Array(text.utf8)) == .text, "\(filling)")
        }
        #expect(kind([UInt8](repeating: 0xe4, count: 100)) == .other)
    }
}
