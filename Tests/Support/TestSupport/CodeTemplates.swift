// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

extension CodeTemplate {
    /// What code of one origin differs in from victim to victim, one kind a template, then together.
    public static let all: [CodeTemplate] = [
        operands, constants, filler, order, registers, together, constantPrefix, keyedPrefix, earlyCall, x86_32, arm64,
    ]

    private static let syscall = Piece.call([0x0f, 0x05])
    /// Register moves and arithmetic as compilers write them, without operands that vary.
    private static let setUp = Piece.fixed([0x48, 0x31, 0xd2, 0x4c, 0x8d, 0x5c, 0x24, 0xe8, 0x49, 0x83, 0xeb, 0x10, 0x45, 0x31, 0xc9])
    private static let arguments = Piece.fixed([0x4c, 0x89, 0xdf, 0x48, 0x8d, 0x74, 0x24, 0x18, 0x41, 0x5a, 0x58])

    static let operands = CodeTemplate(
        name: "operands", varies: "addresses and displacements", architecture: .x86_64,
        pieces: [
            setUp, .fixed([0x48, 0xbf]), .operand(8), .fixed([0x48, 0x8d, 0x35]), .operand(4), .fixed([0xe8]), .operand(4), arguments,
            syscall,
        ])
    static let constants = CodeTemplate(
        name: "constants", varies: "immediates", architecture: .x86_64,
        pieces: [
            setUp, .fixed([0x81, 0xf3]), .operand(4), .fixed([0x41, 0x80, 0x34, 0x24]), .operand(1), .fixed([0xb9]), .operand(4), arguments,
            .fixed([0x6a]), .operand(1), .fixed([0x58, 0x99]), syscall,
        ])
    static let filler = CodeTemplate(
        name: "filler", varies: "instructions that do nothing", architecture: .x86_64,
        pieces: [
            setUp, .filler(0...3), .fixed([0x48, 0xc1, 0xe7, 0x08, 0x4c, 0x09, 0xd7]), .filler(0...3), arguments, .filler(0...3),
            .fixed([0x83, 0xc0, 0x2a, 0x99]), syscall,
        ])
    static let order = CodeTemplate(
        name: "order", varies: "order of independent instructions", architecture: .x86_64,
        pieces: [
            setUp,
            .anyOrder([
                [.fixed([0x4c, 0x8d, 0x5c, 0x24, 0x28])], [.fixed([0x49, 0xc7, 0xc0, 0x10, 0x00, 0x00, 0x00])],
                [.fixed([0x48, 0x83, 0xce, 0x07])], [.fixed([0x45, 0x29, 0xd2])],
            ]),
            arguments, syscall,
        ])
    static let registers = CodeTemplate(
        name: "registers", varies: "encodings of the same step", architecture: .x86_64,
        pieces: [
            setUp, .either([[0x31, 0xff], [0x29, 0xff], [0x48, 0x31, 0xff]]), .fixed([0x48, 0x8d, 0x74, 0x24, 0x10]),
            .either([[0x31, 0xc0], [0x29, 0xc0], [0x48, 0x31, 0xc0]]), .fixed([0xb0]), .operand(1),
            .either([[0x52, 0x5a], [0x50, 0x58], [0x48, 0x92, 0x48, 0x92]]), arguments, syscall,
        ])
    static let together = CodeTemplate(
        name: "together", varies: "operands, constants, filler and order", architecture: .x86_64,
        pieces: [
            setUp, .filler(0...2), .fixed([0x48, 0xbf]), .operand(8), .filler(0...2),
            .anyOrder([
                [.fixed([0x49, 0xc7, 0xc0]), .operand(4)], [.fixed([0x48, 0x83, 0xce]), .operand(1)], [.fixed([0x45, 0x29, 0xd2])],
            ]),
            .filler(0...2), arguments, .filler(0...1), syscall,
        ])
    /// An encoded body: only what stands before it is the same.
    static let constantPrefix = CodeTemplate(
        name: "constant prefix", varies: "the whole body, with the call in it", architecture: .x86_64,
        pieces: [
            setUp,
            .fixed([0x49, 0x01, 0xf2, 0x48, 0xc1, 0xc9, 0x0d, 0x66, 0x41, 0x81, 0xc1, 0x90, 0x01, 0x4d, 0x8d, 0x14, 0x0a, 0x75, 0xee]),
            .body(300...400), syscall, .body(20...40),
        ])
    /// The same with a key and a length in the prefix.
    static let keyedPrefix = CodeTemplate(
        name: "keyed prefix", varies: "the body, and key and length before it", architecture: .x86_64,
        pieces: [
            setUp, .fixed([0x49, 0x01, 0xf2, 0x48, 0xc1, 0xc9, 0x0d, 0x66, 0x41, 0x81, 0xc1]), .operand(2), .fixed([0x41, 0x81, 0xf2]),
            .operand(4),
            .fixed([0x4d, 0x8d, 0x14, 0x0a, 0x75, 0xee]), .body(300...400), syscall, .body(20...40),
        ])
    /// The call stands so early that the caller window slides behind it.
    static let earlyCall = CodeTemplate(
        name: "early call", varies: "operands on both sides of the call", architecture: .x86_64,
        pieces: [
            .fixed([0x48, 0xc7, 0xc7]), .operand(4), syscall, .fixed([0x48, 0x85, 0xc0, 0x0f, 0x88]), .operand(4), setUp, arguments,
            .fixed([0x4c, 0x8d, 0x3d]), .operand(4), .fixed([0x41, 0xff, 0xd7, 0x49, 0x89, 0xc6]),
        ])
    static let x86_32 = CodeTemplate(
        name: "x86-32", varies: "operands and filler", architecture: .x86_32,
        pieces: [
            .fixed([0x31, 0xd2, 0x8b, 0x5d, 0x08, 0x03, 0x5d, 0x0c, 0x89, 0x5c, 0x24, 0x10, 0x42]), .filler32, .fixed([0x68]), .operand(4),
            .fixed([0x66, 0xba]), .operand(2), .fixed([0x8d, 0x4c, 0x24, 0x14, 0x29, 0xd1]), .filler32,
            .fixed([0x83, 0xc3, 0x07, 0x0f, 0xaf, 0xc3]),
            .call([0xcd, 0x80]),
        ])
    static let arm64 = CodeTemplate(
        name: "arm64", varies: "immediates of four instructions", architecture: .arm64,
        pieces: [
            .fixed([0xe1, 0x03, 0x1f, 0xaa, 0xe2, 0x03, 0x00, 0x91]), .move(0), .fixed([0x41, 0x00, 0x00, 0x8b, 0xe5, 0x0f, 0x1f, 0xf8]),
            .move(3),
            .fixed([0x63, 0x1c, 0x00, 0x12, 0xe4, 0x03, 0x03, 0x2a]), .move(8), .fixed([0x84, 0x10, 0x00, 0xd1, 0xe6, 0x03, 0x1f, 0xaa]),
            .move(5), .call([0x01, 0x00, 0x00, 0xd4]),
        ])
}

extension CodeTemplate.Piece {
    fileprivate static let filler32 = Self.either([[], [0x90], [0x89, 0xc0], [0x87, 0xdb, 0x90], [0xf8, 0xf5]])

    /// `movz` with one of many immediates into one register (Arm Architecture Reference Manual, MOVZ).
    fileprivate static func move(_ register: UInt32) -> Self {
        .either(
            (0..<512).map { index in
                let word = 0xd280_0000 | (UInt32(index) &* 97 & 0xffff) << 5 | register
                return (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
            })
    }
}
