// SPDX-License-Identifier: Apache-2.0

/// How much more often an opcode begins an instruction of code than it seems to begin one in data, in bits: the binary
/// logarithm of the ratio, from -6 to 4.
///
/// Counted by `Scripts/count-opcodes` with Capstone over 468,000 instructions of 150 programs and libraries of Debian 12 (the
/// first 20,000 bytes of `.text` of each), and over every offset of 60,000 random bytes and 40,000 bytes of English text and
/// Markdown. What hand-written code uses more than compilers do (`push` of a constant, `xchg`, string instructions, the short
/// arithmetic with the accumulator, `fnstenv`, `loop`, `int`) counts 0 or 1 at least; what digits seem to be, -1
/// to -3.
enum OpcodeBits {
    /// The bits of a byte that can't be part of an instruction, and of an instruction that an ordinary process may not
    /// execute.
    static let ofData = -6

    /// By the first byte of the opcode, prefixes left aside.
    static let oneByte: [Int8] = [
        -6, 2, -6, 0, 0, 0, -5, -5, -3, 0, -6, 0, 0, 0, -5, -5,
        -6, 0, -6, -6, -6, -6, -5, -5, -6, 0, -6, -6, -6, -6, -5, -5,
        -6, 0, -5, 0, 0, 0, -5, -5, -6, 1, -6, 0, 0, 0, -5, -5,
        -1, 3, -1, -1, -1, -2, -5, -5, -3, 2, -3, -1, -1, -1, -5, -5,
        -5, -5, -5, -5, -5, -5, -5, -5, -5, -5, -5, -5, -5, -5, -5, -5,
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 2, 1, 1,
        -5, -5, -6, -2, -5, -5, -5, -5, 1, 0, 1, 0, -6, -6, -6, -6,
        -6, -6, 0, 0, 0, 1, 0, 0, 0, 0, -6, -6, 0, 0, 0, 0,
        2, 1, -5, 4, 0, 4, -6, 0, 0, 4, 0, 4, -6, 4, -6, -6,
        2, 0, 0, 0, -6, 0, 0, 0, 0, 1, -5, -6, -6, -6, -6, -6,
        -6, -6, -6, -6, 0, 0, -6, -6, -2, -4, 0, 0, 0, 0, -6, -6,
        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 2, 2,
        0, 2, -6, 2, -6, -6, 4, 4, -6, -6, -6, -6, -6, 3, -5, -6,
        0, 0, -6, 0, -5, -5, -5, -6, -5, 0, -6, -3, -6, -4, -5, -4,
        -6, -6, 0, -6, -6, -6, -6, -6, 4, 3, -5, 2, -6, -6, -6, -6,
        -5, -6, -5, -5, -4, 0, 0, 1, 0, -6, -6, -6, 0, -6, 0, 2,
    ]

    /// By the second byte of an opcode that begins with `0f`.
    static let twoByte: [Int8] = [
        -4, -5, -6, -6, -5, 3, -5, -5, -6, -6, -5, 1, -5, -5, -5, -5,
        2, 4, -3, -4, -4, -6, -1, -6, -5, -5, -5, -5, -5, -5, 2, 4,
        -5, -6, -6, -5, -5, -5, -5, -5, 0, 4, 2, -6, 0, -6, -1, 0,
        -5, -3, -6, -6, 3, -6, -5, -6, -5, -5, -5, -5, -5, -5, -5, -5,
        -4, -6, 0, 0, 3, 2, 0, 0, -1, -1, -5, -6, -2, -2, -1, -1,
        -6, -4, -5, -5, -3, -4, -4, -2, 1, 1, -2, -6, -1, -5, 0, -4,
        -4, -3, 0, -6, -6, -6, -5, -6, -5, -4, -4, -6, 2, -5, 3, 3,
        -2, -4, -5, -5, -6, -5, -3, -5, -6, -5, -5, -5, -5, -5, 0, -5,
        -1, -6, 2, 3, 4, 4, 2, 3, 3, 1, -3, -6, -1, 1, 3, 2,
        0, -5, -1, -2, 3, 2, -1, -1, -6, -6, -4, -6, -2, -3, -3, -1,
        -6, -6, -6, 0, -5, -6, -5, -5, -5, -5, -5, -5, -4, -5, -6, 3,
        -6, 0, -6, -6, -5, -5, 4, 3, -4, -5, 0, -6, -2, -3, 2, 1,
        -5, -3, -4, -6, -6, -3, -3, -5, 0, 0, 0, 0, 0, 0, 0, 0,
        -5, -6, -6, -6, -3, -6, -1, -6, -4, -6, -6, -3, -5, -6, -5, -5,
        -5, -6, -5, -6, -6, -6, -4, -5, -6, -6, -5, -3, -6, -6, -6, 3,
        -5, -6, -6, -6, -5, -4, -5, -5, -5, -4, -4, -4, -4, -5, -3, -6,
    ]
}
