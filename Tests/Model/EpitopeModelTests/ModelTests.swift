// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import TestSupport
import Testing

@Suite struct EvidenceTests {
    @Test func `weights are the designs`() {
        let weights = Dictionary(uniqueKeysWithValues: EvidenceKind.allCases.map { ($0, $0.defaultWeight) })
        #expect(
            weights == [
                .directCall: 100, .libraryCall: 100, .sendsItself: 100, .writtenImagePage: 80, .writtenFile: 80, .impossibleReturn: 80,
                .memoryFile: 40, .uncheckedReturn: 40, .packedProgram: 40,
                .deeperInStack: 10, .unattributable: 10, .deletedFile: 10,
            ])
    }
}

@Suite struct MemoryRegionTests {
    @Test func `protection reads as in maps`() {
        #expect(MemoryProtection([.read, .write, .execute]).description == "rwxp")
        #expect(MemoryProtection([.read, .shared]).description == "r--s")
    }

    @Test func `only images and the kernel back memory`() {
        #expect(!MemoryBacking.image(path: "/bin/sh").isUnbacked)
        #expect(!MemoryBacking.kernel.isUnbacked)
        let unbacked: [MemoryBacking] = [
            .anonymous, .stack, .heap, .memoryFile(name: "x"), .writtenImagePage(path: "/bin/sh"),
            .writtenFile(path: "/tmp/x"),
        ]
        #expect(unbacked.filter(\.isUnbacked) == unbacked)
    }

    @Test func `contains its first address and not its end`() {
        let region = MemoryRegion(start: 0x1000, end: 0x2000, protection: [.read], backing: .anonymous)
        #expect(region.contains(0x1000) && region.contains(0x1fff))
        #expect(!region.contains(0xfff) && !region.contains(0x2000))
    }
}

@Suite struct ExtractedCodeTests {
    @Test func `the address after the last byte is inside`() {
        let code = ExtractedCode(base: 0x100, bytes: [1, 2, 3], isWholeRegion: true)
        #expect(code.offset(of: 0x100) == 0)
        #expect(code.offset(of: 0x103) == 3)
        #expect(code.offset(of: 0x104) == nil)
        #expect(code.offset(of: 0xff) == nil)
        #expect(code.offset(of: .max) == nil)
    }
}

@Suite struct IdentityTests {
    @Test(arguments: ["web-1", "A.b_c", String(repeating: "x", count: 64)])
    func `takes plain names`(name: String) {
        #expect(Identity.isValidName(name))
    }

    @Test(arguments: ["", "a b", "a/b", "ä", "a:b", "a\n", String(repeating: "x", count: 65)])
    func `refuses other names`(name: String) {
        #expect(!Identity.isValidName(name))
    }
}

@Suite struct EpitopeErrorTests {
    @Test func `says what happened the code and what to do`() {
        let error = EpitopeError(.init("sample-code"), "the sample broke", remedy: "mend it")
        #expect(error.description == "the sample broke [sample-code]\n  what to do: mend it")
    }
}
