// SPDX-License-Identifier: Apache-2.0

import Disassembly
import EpitopeModel
import TestSupport
import Testing

/// Hand-assembled bytes; none of them is ever run.
@Suite struct VariableFieldTests {
    struct Case: Sendable, CustomStringConvertible {
        var description: String
        var architecture: Architecture
        var hex: String
        /// Hexadecimal digits of the same length, `??` where bytes vary.
        var pattern: String
        var kind: VariableField.Kind?
        var base: UInt64 = 0x40_0000
    }

    static let x86: [Case] = [
        Case(description: "call out", architecture: .x86_32, hex: "e800100000", pattern: "e8????????", kind: .branchDistance),
        Case(description: "call in", architecture: .x86_32, hex: "e8fbffffff", pattern: "e8fbffffff"),
        Case(description: "short jump out", architecture: .x86_64, hex: "7540", pattern: "75??", kind: .branchDistance),
        Case(description: "near jcc out", architecture: .x86_64, hex: "0f8500100000", pattern: "0f85????????", kind: .branchDistance),
        Case(description: "loop in", architecture: .x86_64, hex: "e2fe", pattern: "e2fe"),
        Case(description: "absolute", architecture: .x86_32, hex: "8b0d44332211", pattern: "8b0d????????", kind: .absoluteAddress),
        Case(description: "absolute, 64", architecture: .x86_64, hex: "8b0c2544332211", pattern: "8b0c25????????", kind: .absoluteAddress),
        Case(description: "moffs", architecture: .x86_32, hex: "a144332211", pattern: "a1????????", kind: .absoluteAddress),
        Case(
            description: "moffs, 64", architecture: .x86_64, hex: "48a18877665544332211", pattern: "48a1????????????????",
            kind: .absoluteAddress),
        Case(description: "jump table", architecture: .x86_32, hex: "ff248544332211", pattern: "ff2485????????", kind: .absoluteAddress),
        Case(description: "lea without base", architecture: .x86_32, hex: "8d048500000000", pattern: "8d048500000000"),
        Case(description: "thread-local", architecture: .x86_64, hex: "64488b042528000000", pattern: "64488b042528000000"),
        Case(description: "rip out", architecture: .x86_64, hex: "488d0500100000", pattern: "488d05????????", kind: .relativeAddress),
        Case(description: "rip in", architecture: .x86_64, hex: "488d05f9ffffff", pattern: "488d05f9ffffff"),
        Case(
            description: "rip out, immediate stays", architecture: .x86_64, hex: "c7050010000002000000", pattern: "c705????????02000000",
            kind: .relativeAddress),
        Case(description: "pointer near", architecture: .x86_32, hex: "6800004100", pattern: "68????????", kind: .pointer),
        Case(description: "small constant", architecture: .x86_32, hex: "6800010000", pattern: "6800010000"),
        Case(description: "low base", architecture: .x86_32, hex: "6844010000", pattern: "6844010000", base: 0x142),
        Case(
            description: "user space", architecture: .x86_64, hex: "48b8302010f7ff7f0000", pattern: "48b8????????????0000",
            kind: .pointer),
        Case(description: "text", architecture: .x86_64, hex: "48b82f62696e2f736800", pattern: "48b82f62696e2f736800"),
        Case(description: "six letters", architecture: .x86_64, hex: "48b8616263646566" + "0000", pattern: "48b86162636465660000"),
        Case(description: "far call", architecture: .x86_32, hex: "9a443322111000", pattern: "9a????????1000", kind: .absoluteAddress),
        Case(
            description: "base and near displacement", architecture: .x86_32, hex: "8b8300004100", pattern: "8b83????????", kind: .pointer),
        Case(description: "base and small displacement", architecture: .x86_32, hex: "8b45fc", pattern: "8b45fc"),
    ]

    static let arm64: [Case] = [
        Case(description: "bl out", architecture: .arm64, hex: "00100094", pattern: "????????", kind: .branchDistance),
        Case(description: "b in", architecture: .arm64, hex: "00000014", pattern: "00000014"),
        Case(description: "b.eq out", architecture: .arm64, hex: "00800054", pattern: "??????54", kind: .branchDistance),
        Case(description: "cbz out", architecture: .arm64, hex: "008000b4", pattern: "??????b4", kind: .branchDistance),
        Case(description: "tbz out", architecture: .arm64, hex: "00800036", pattern: "??????36", kind: .branchDistance),
        Case(description: "adr in", architecture: .arm64, hex: "00000010", pattern: "00000010"),
        Case(description: "adr out", architecture: .arm64, hex: "00800010", pattern: "????????", kind: .relativeAddress),
        Case(description: "ldr literal out", architecture: .arm64, hex: "00800058", pattern: "??????58", kind: .relativeAddress),
        Case(
            description: "adrp and add", architecture: .arm64, hex: "00010090" + "00400091", pattern: "????????" + "00????91",
            kind: .relativeAddress),
        Case(
            description: "adrp and ldr", architecture: .arm64, hex: "00010090" + "010440f9", pattern: "????????" + "01????f9",
            kind: .relativeAddress),
        // movz x0, #0x1020; movk x0, #0xfff7, lsl 16; movk x0, #0x7fff, lsl 32
        Case(
            description: "pointer in steps", architecture: .arm64, hex: "000482d2" + "e0feBFf2" + "e0ffCFf2",
            pattern: "??????d2??????f2??????f2", kind: .pointer),
        Case(description: "small constant", architecture: .arm64, hex: "a81b80d2", pattern: "a81b80d2"),
    ]

    @Test(arguments: x86 + arm64) func `the variable bytes of an instruction are exact`(of example: Case) throws {
        let bytes = try #require(Hex.decode(example.hex))
        let code = ExtractedCode(base: example.base, bytes: bytes, isWholeRegion: true)
        let instructions = Disassembly.instructions(
            of: code, callersAddress: example.base + UInt64(bytes.count), architecture: example.architecture)
        #expect(!instructions.contains { $0.kind == .data })
        let fields = instructions.flatMap(\.variable)
        var pattern = bytes.map { Hex.encode([$0]) }
        for field in fields { for position in field.range { pattern[position] = "??" } }
        #expect(pattern.joined() == example.pattern, "\(instructions.map(\.text))")
        #expect(Set(fields.map(\.kind)) == Set([example.kind].compactMap { $0 }))
    }
}

@Suite struct StreamTests {
    private func instructions(_ hex: String, base: UInt64 = 0x40_0000, caller: Int, _ architecture: Architecture = .x86_64) -> [Instruction]
    {
        let code = ExtractedCode(base: base, bytes: Hex.decode(hex)!, isWholeRegion: true)
        return Disassembly.instructions(of: code, callersAddress: base + UInt64(caller), architecture: architecture)
    }

    @Test func `the published code is disassembled`() throws {
        let instructions = Disassembly.instructions(
            of: Samples.code, callersAddress: Samples.callersAddress, architecture: .x86_32)
        let call = try #require(instructions.first { $0.range.upperBound == 52 })
        #expect(call.text == "call esi" && call.kind == .functionCall)
        #expect(instructions.first?.text == "mov eax, dword ptr [ebp - 0x4c]")
        #expect(instructions.flatMap(\.variable).isEmpty)
    }

    @Test func `the stream that ends at the caller's address is kept`() {
        // A byte of data (b8: mov eax, imm32) swallows the system call in a sweep from the start.
        let instructions = instructions("b831c00f05" + "90", caller: 5)
        #expect(instructions.map(\.kind) == [.data, .other, .systemCall, .other])
        #expect(instructions.map(\.text) == [".byte 0xb8", "xor eax, eax", "syscall", "nop"])
    }

    @Test func `the stream joins the sweep where it can`() {
        // xor edi, edi; mov al, 59; data; syscall
        let instructions = instructions("31ff" + "b03b" + "b8" + "31d2" + "0f05", caller: 9)
        #expect(instructions.prefix(2).map(\.text) == ["xor edi, edi", "mov al, 0x3b"])
        #expect(instructions.last?.kind == .systemCall)
    }

    @Test(arguments: [(Architecture.x86_32, "cd80"), (.x86_64, "0f05"), (.x86_32, "0f34"), (.arm64, "010000d4")])
    func `system calls are recognized`(_ example: (Architecture, String)) {
        #expect(instructions(example.1, caller: example.1.utf8.count / 2, example.0).map(\.kind) == [.systemCall])
    }

    @Test(arguments: [
        (Architecture.x86_32, "ffd0"), (.x86_64, "41ffd0"), (.x86_64, "e800000000"), (.arm64, "00013fd6"), (.arm64, "00000094"),
    ])
    func `function calls are recognized`(_ example: (Architecture, String)) {
        #expect(instructions(example.1, caller: example.1.utf8.count / 2, example.0).map(\.kind) == [.functionCall])
    }

    @Test func `arm64 streams are aligned to the caller's address`() {
        let instructions = instructions("aabb" + "a81b80d2" + "010000d4" + "1f2003d5", caller: 10, .arm64)
        #expect(instructions.map(\.kind) == [.data, .other, .systemCall, .other])
    }

    /// Neither garbage nor odd addresses crash it, and every byte is accounted for once.
    @Test(arguments: Architecture.allCases) func `random bytes are disassembled without a gap`(architecture: Architecture) {
        var random = SeededGenerator(seed: 1)
        for round in 0..<60 {
            let bytes = (0..<Int.random(in: 0..<300, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            let base = [0, 0x142, 0x7fff_f7ff_0000, UInt64.max - 5, UInt64.max][round % 5]
            let code = ExtractedCode(base: base, bytes: bytes, isWholeRegion: true)
            let caller = base &+ UInt64(Int.random(in: 0...bytes.count, using: &random))
            let instructions = Disassembly.instructions(of: code, callersAddress: caller, architecture: architecture)
            #expect(instructions.flatMap { Array($0.range) } == Array(bytes.indices))
            for instruction in instructions {
                #expect(
                    instruction.variable.filter {
                        !instruction.range.contains($0.range.lowerBound) || $0.range.upperBound > instruction.range.upperBound
                    }.isEmpty)
            }
        }
    }
}
