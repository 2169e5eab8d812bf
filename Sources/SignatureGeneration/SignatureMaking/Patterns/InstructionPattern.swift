// SPDX-License-Identifier: Apache-2.0

import Disassembly
import Signatures

/// An instruction as variants of a code have it in common: without its immediates and displacements.
struct InstructionPattern: Hashable {
    /// `nil` where an operand stands.
    var bytes: [UInt8?]
    /// Offsets in the code.
    var place: Range<Int>
    /// ``Disassembly/Instruction/codeBits``.
    var codeBits: Int

    var fixedBytes: Int { bytes.count { $0 != nil } }

    /// Whether data can be searched for a run of its fixed bytes.
    var isScannable: Bool { bytes.split(separator: nil).contains { Signature.isScannable($0.compactMap(\.self)) } }

    /// Whether both may be the same step of two variants.
    func isAlike(_ other: InstructionPattern) -> Bool { bytes == other.bytes }
}

/// A stretch of code as patterns, without the instructions that variants may have or leave out.
struct PatternStretch {
    private(set) var patterns: [InstructionPattern] = []
    /// Whether there are instructions that do nothing: then there may be others elsewhere in another variant.
    private(set) var hasFiller = false
    /// Positions in the code that another variant may have differently: operands of at least three bytes, and instructions that
    /// do nothing.
    private(set) var fragile: Set<Int> = []

    /// In bytes: shorter operands are mostly offsets in structures and the stack, which don't differ between variants.
    private static let minWideOperand = 3

    init(_ instructions: [Instruction], code: [UInt8]) {
        for instruction in instructions {
            let range = instruction.range
            guard instruction.kind != .data else {
                fragile.formUnion(range)
                continue
            }
            for operand in instruction.operands where operand.count >= Self.minWideOperand { fragile.formUnion(operand) }
            switch instruction.effect {
            case .none:
                hasFiller = true
                fragile.formUnion(range)
            // One of several ways to say the same.
            case .zeroing: continue
            case .ordinary:
                var bytes = code[range].map(Optional.some)
                for operand in instruction.operands {
                    for position in operand { bytes[position - range.lowerBound] = nil }
                }
                patterns.append(InstructionPattern(bytes: bytes, place: range, codeBits: instruction.codeBits))
            }
        }
    }

    /// How many patterns on each side of the call are compared, and of a stretch away from it: comparing costs the product.
    static let maxPatterns = 64

    /// Only the patterns nearest to an offset.
    func near(_ caller: Int) -> PatternStretch {
        var near = self
        let split = patterns.firstIndex { $0.place.lowerBound >= caller } ?? patterns.count
        near.patterns = Array(patterns[..<split].suffix(Self.maxPatterns) + patterns[split...].prefix(Self.maxPatterns))
        return near
    }
}
