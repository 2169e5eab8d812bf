// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// Disassembles machine code.
///
/// Code of unknown origin is decoded twice. A linear sweep from the start may be out of step with the instructions where
/// there are data in between (x86 instructions have no alignment). The only known boundary is the caller's address: an
/// instruction that made a call ends there. So the result is a stream in which one does. Chains of instructions that end
/// there are found by decoding at every offset before it. Sweeps from different starts mostly fall into step after a few
/// instructions (Linn and Debray, "Obfuscation of Executable Code to Improve Resistance to Static Disassembly", 2003).
public enum Disassembly {
    /// In bytes before the caller's address: where to look for chains that end at it if the sweep misses it. Eight of the
    /// longest instructions of x86.
    public static let chainReach = 120

    /// The instructions of a part of the code, ascending, without overlaps or gaps: bytes that can't be decoded are data.
    ///
    /// - Parameters:
    ///   - callersAddress: where an instruction must end. Ignored if it is outside of the part.
    ///   - part: offsets in the code to decode, clamped to the code; `nil` for all of it. The first instructions of a part
    ///     that begins in the middle may be out of step.
    ///   - withText: whether to set ``Instruction/text``, which takes longer than decoding.
    public static func instructions(
        of code: ExtractedCode, callersAddress: UInt64, architecture: Architecture, part: Range<Int>? = nil,
        withText: Bool = true
    ) -> [Instruction] {
        let part = (part ?? code.bytes.indices).clamped(to: code.bytes.indices)
        guard !part.isEmpty, let decoder = InstructionDecoder(architecture: architecture, code: code, withText: withText)
        else { return [] }
        var instructions: [Instruction]
        if let caller = code.offset(of: callersAddress), caller > part.lowerBound, caller <= part.upperBound {
            instructions = stream(from: part.lowerBound, to: caller, with: decoder)
            instructions += decoder.sweep(caller..<part.upperBound)
        } else {
            instructions = decoder.sweep(part)
        }
        if architecture == .arm64 { ARM64Fields.maskPairs(in: &instructions, of: code) }
        markUndone(in: &instructions)
        return instructions
    }

    /// Two instructions of which the second undoes the first have no effect together.
    private static func markUndone(in instructions: inout [Instruction]) {
        for index in instructions.indices.dropFirst() {
            guard let before = instructions[index - 1].undoing, let own = instructions[index].undoing, own.undoes(before),
                instructions[index - 1].effect == .ordinary
            else { continue }
            instructions[index - 1].effect = .none
            instructions[index].effect = .none
        }
    }

    /// The stream that ends at the caller's address with the calling instruction.
    private static func stream(from start: Int, to caller: Int, with decoder: borrowing InstructionDecoder) -> [Instruction] {
        let swept = decoder.sweep(start..<caller)
        if swept.last?.isCall == true { return swept }
        var chains: [Int: Instruction] = [:]
        var isChained = Set<Int>()
        let earliest = max(start, caller - chainReach)
        let step = decoder.alignment
        for offset in stride(from: caller - step, through: earliest, by: -step) {
            guard let instruction = decoder.decode(at: offset, limit: caller) else { continue }
            chains[offset] = instruction
        }
        // If a call ends at the address, other instructions that end there are a coincidence.
        let ends = chains.values.filter { $0.range.upperBound == caller }
        let hasCall = ends.contains(where: \.isCall)
        for offset in chains.keys.sorted(by: >) {
            guard let instruction = chains[offset] else { continue }
            if instruction.range.upperBound == caller ? !hasCall || instruction.isCall : isChained.contains(instruction.range.upperBound) {
                isChained.insert(offset)
            }
        }
        // If the sweep joins a chain, no bytes are left over. Otherwise take the chain with the fewest bytes of data, and
        // of several, the one that agrees with the sweep for longest.
        var best: (offset: Int, kept: Int, end: Int)?
        var kept = 0
        for offset in isChained.sorted() {
            while kept < swept.count, swept[kept].range.upperBound <= offset { kept += 1 }
            let end = kept > 0 ? swept[kept - 1].range.upperBound : start
            guard let other = best, offset - end > other.offset - other.end else {
                best = (offset, kept, end)
                continue
            }
        }
        guard let best else { return swept }
        var offset = best.offset
        var stream = Array(swept.prefix(best.kept))
        if best.end < offset { stream += decoder.data(best.end..<offset) }
        while offset < caller, let instruction = chains[offset] {
            stream.append(instruction)
            offset = instruction.range.upperBound
        }
        return stream
    }
}
