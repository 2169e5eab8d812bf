// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// An instruction that may have made a call.
public struct CallSite: Hashable, Sendable {
    /// The offset in the code right after the instruction: the caller's address, if it was this one.
    public var end: Int
    /// In assembly language.
    public var text: String
    public var kind: Instruction.Kind
    /// The number of the system call, where the instructions before load one; `nil` if they show none.
    public var number: UInt32?
}

/// Finds the calls in code whose caller's address nobody knows.
public enum CallSites {
    /// In bytes: only system calls are looked for behind this. A linear sweep of more takes seconds.
    public static let maxSweptBytes = 1 << 20
    /// How many calls are listed; code is mostly a few KiB.
    public static let maxSites = 256
    /// In bytes: how far before a system call its number is looked for.
    private static let reach = 48
    /// In instructions, the same.
    private static let maxSteps = 12

    /// The calls in code, ascending, at most ``maxSites``.
    ///
    /// System calls are found at every offset, so that code which is out of step with a linear sweep does not hide them;
    /// calls of functions by the sweep alone, since bytes that look like one are everywhere.
    public static func all(in code: ExtractedCode, architecture: Architecture) -> [CallSite] {
        var sites: [Int: CallSite] = [:]
        for end in systemCallEnds(in: code.bytes, architecture) {
            guard sites.count < maxSites else { break }
            sites[end] = site(endingAt: end, in: code, architecture: architecture)
        }
        let swept = 0..<min(code.bytes.count, maxSweptBytes)
        // With a caller's address at the beginning the sweep is not corrected by one.
        for instruction in Disassembly.instructions(of: code, callersAddress: code.base, architecture: architecture, part: swept)
        where instruction.kind == .functionCall && sites.count < maxSites {
            let end = instruction.range.upperBound
            sites[end] = CallSite(end: end, text: instruction.text, kind: .functionCall, number: nil)
        }
        return sites.values.sorted { $0.end < $1.end }
    }

    /// The call that ends at an offset; `nil` if no instruction that calls does.
    public static func site(endingAt end: Int, in code: ExtractedCode, architecture: Architecture) -> CallSite? {
        guard end > 0, end <= code.bytes.count else { return nil }
        let before = Disassembly.instructions(
            of: code, callersAddress: code.base &+ UInt64(end), architecture: architecture, part: max(0, end - reach)..<end)
        guard let call = before.last, call.isCall, call.range.upperBound == end else { return nil }
        let number = call.kind == .systemCall ? Self.number(in: before.dropLast(), architecture) : nil
        return CallSite(end: end, text: call.text, kind: call.kind, number: number)
    }

    /// `syscall`, `int 0x80` and `sysenter`; `svc #0`.
    private static func systemCallEnds(in bytes: [UInt8], _ architecture: Architecture) -> [Int] {
        let (forms, step): ([[UInt8]], Int) =
            architecture == .arm64 ? ([[0x01, 0, 0, 0xd4]], 4) : ([[0x0f, 0x05], [0xcd, 0x80], [0x0f, 0x34]], 1)
        var ends: [Int] = []
        for start in stride(from: 0, to: bytes.count - forms[0].count + 1, by: step)
        where forms.contains(where: { bytes[start] == $0[0] && bytes[start..<start + $0.count].elementsEqual($0) }) {
            ends.append(start + forms[0].count)
            if ends.count == maxSites { break }
        }
        return ends
    }

    /// The number that the last instructions load into the register for it (`eax`, `x8`).
    private static func number(in instructions: ArraySlice<Instruction>, _ architecture: Architecture) -> UInt32? {
        let registers: Set<Substring> = architecture == .arm64 ? ["x8", "w8"] : ["rax", "eax", "ax", "al"]
        var isPopped = false
        for instruction in instructions.suffix(maxSteps).reversed() {
            guard !instruction.isCall else { return nil }
            let words = instruction.text.split(separator: " ", maxSplits: 1)
            let operands = words.count < 2 ? [] : words[1].split(separator: ",").map { $0.drop { $0 == " " } }
            if isPopped {
                guard words.first == "push" else { continue }
                return operands.first.flatMap(value)
            }
            guard let target = operands.first, registers.contains(target), let mnemonic = words.first else { continue }
            switch mnemonic {
            case "mov", "movz", "movabs": return operands.count == 2 ? value(operands[1]) : nil
            case "xor" where operands.count == 2 && operands[1] == target: return 0
            case "pop": isPopped = true
            case "push", "cmp", "test": continue
            default: return nil
            }
        }
        return nil
    }

    private static func value(_ text: Substring) -> UInt32? {
        let digits = text.drop { $0 == "#" }
        return digits.hasPrefix("0x") ? UInt32(digits.dropFirst(2), radix: 16) : UInt32(digits)
    }
}
