// SPDX-License-Identifier: Apache-2.0

/// How a page of an image's code in memory differs from the file's: a debugger, a tracer and the dynamic loader write into code,
/// each in a way that can be told from any other change.
///
/// Forgiven is only what is explained byte for byte. A breakpoint is one byte, 0xCC, that stands alone: it can't be a part of
/// code of somebody else's choice. It is not forgiven inside of the instruction that the caller's address follows, only as its
/// first byte.
public struct PageComparison: Hashable, Sendable {
    /// How many bytes are breakpoints: a debugger's, or a tracer's (uprobes).
    public var breakpoints = 0
    /// How many places call the kernel's trampoline for probes instead of doing nothing (Linux 6.18).
    public var probes = 0
    /// How many values the dynamic loader wrote as the file asks for.
    public var relocations = 0
    /// How many bytes differ in no way that is known, and the address of the first.
    public var unexplained = 0
    public var firstUnexplained: UInt64?

    /// More breakpoints in a page than anyone sets.
    public static let maxBreakpoints = 128

    /// `int3`.
    static let breakpoint: UInt8 = 0xCC
    /// The five-byte `nop` that the kernel replaces by a call of its trampoline, and the opcode of that call.
    static let longNop: [UInt8] = [0x0F, 0x1F, 0x44, 0x00, 0x00]
    static let relativeCall: UInt8 = 0xE8

    /// Whether the page is the file's: each difference is explained.
    public var isImage: Bool { unexplained == 0 }

    public init() {}

    /// Compares a page.
    ///
    /// - Parameters:
    ///   - memory: the page as it stands in memory.
    ///   - expected: the page as the file has it, with the loader's relocations.
    ///   - address: of the page.
    ///   - callersAddress: where an instruction ends that made a call. It may lie in another page.
    ///   - isProbeTrampoline: whether an address is in the kernel's trampoline for probes.
    public init(
        memory: [UInt8], expected: [UInt8], at address: UInt64, callersAddress: UInt64, relocations: Int = 0,
        isProbeTrampoline: (UInt64) -> Bool = { _ in false }
    ) {
        self.relocations = relocations
        guard memory.count == expected.count else {
            unexplained = max(memory.count, expected.count)
            firstUnexplained = address
            return
        }
        let caller = Self.instruction(endingAt: callersAddress, in: expected, at: address)
        var index = 0
        while index < memory.count {
            guard memory[index] != expected[index] else {
                index += 1
                continue
            }
            if let length = Self.probe(memory, expected, at: index, address, isProbeTrampoline) {
                probes += 1
                index += length
                continue
            }
            let place = address + UInt64(index)
            let isAlone =
                (index == 0 || memory[index - 1] == expected[index - 1])
                && (index + 1 == memory.count || memory[index + 1] == expected[index + 1])
            if memory[index] == Self.breakpoint, isAlone, place <= caller.lowerBound || place >= caller.upperBound {
                breakpoints += 1
            } else {
                differs(at: place)
            }
            index += 1
        }
        // Not a page of somebody else's making: one breakpoint a few bytes apart from the next is no debugger's.
        if breakpoints > Self.maxBreakpoints { differs(at: address) }
    }

    private mutating func differs(at place: UInt64) {
        unexplained += 1
        if firstUnexplained == nil { firstUnexplained = place }
    }

    /// The length of a call of the kernel's trampoline where the file does nothing; `nil` for anything else.
    private static func probe(
        _ memory: [UInt8], _ expected: [UInt8], at index: Int, _ address: UInt64, _ isProbeTrampoline: (UInt64) -> Bool
    ) -> Int? {
        let length = longNop.count
        guard memory[index] == relativeCall, memory.count - index >= length, expected[index..<index + length].elementsEqual(longNop),
            let displacement = memory.integer(Int32.self, at: index + 1)
        else { return nil }
        let target = address &+ UInt64(index + length) &+ UInt64(bitPattern: Int64(displacement))
        return isProbeTrampoline(target) ? length : nil
    }

    /// The instruction before a caller's address, by the file: from its first byte to the address. Where it isn't known, the
    /// longest that it could be.
    static func instruction(endingAt end: UInt64, in page: [UInt8], at address: UInt64) -> Range<UInt64> {
        let longest = UInt64(CallInstruction.maxLength)
        guard end > longest else { return end..<end }
        let known = end <= address || end > address + UInt64(page.count) ? [] : page[..<Int(end - address)]
        let system: [[UInt8]] = [[0x0F, 0x05], [0xCD, 0x80], [0x0F, 0x34]]
        if system.contains(where: { known.suffix(2).elementsEqual($0) }) { return end - 2..<end }
        // E8 with a displacement is five bytes; FF with an operand, two to seven, one more with a prefix.
        for length in (2...7).reversed() where known.count >= length && CallInstruction.isWhole(Array(known.suffix(length))) {
            return end - UInt64(length)..<end
        }
        return end - longest..<end
    }
}

extension PageComparison: CustomStringConvertible {
    /// For a person: "2 breakpoints, text relocations".
    public var description: String {
        var parts: [String] = []
        if breakpoints > 0 { parts.append(breakpoints == 1 ? "a breakpoint" : "\(breakpoints) breakpoints") }
        if probes > 0 { parts.append(probes == 1 ? "a probe" : "\(probes) probes") }
        if relocations > 0 { parts.append("text relocations") }
        if unexplained > 0 { parts.append("\(unexplained) bytes that differ from the file") }
        return parts.isEmpty ? "the file's bytes" : parts.joined(separator: ", ")
    }
}
