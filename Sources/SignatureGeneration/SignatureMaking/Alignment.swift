// SPDX-License-Identifier: Apache-2.0

import Disassembly
import EpitopeModel
import Signatures

/// Samples laid over each other so that their caller's addresses coincide.
struct Alignment {
    /// In bytes before the caller's address: as far back as masked windows reach.
    static let reach = 96
    /// Two samples belong together when at least so large a share of the bytes before their calls is equal.
    static let leastAlike = 0.5
    /// How many samples are tried as the reference; a cluster of more is alike enough for these to stand for it.
    private static let mostReferences = 16

    /// The sample to which most others are alike, the oldest of several.
    let reference: Int
    /// The samples that are alike to it, itself among them.
    let members: [Int]

    init(_ samples: [Sample], callers: [Int]) {
        var best: (reference: Int, members: [Int]) = (0, [0])
        for index in samples.indices.prefix(Self.mostReferences) {
            let members = samples.indices.filter {
                $0 == index || Self.isAlike(samples[index], callers[index], samples[$0], callers[$0])
            }
            if members.count > best.members.count { best = (index, members) }
        }
        (reference, members) = best
    }

    private static func isAlike(_ one: Sample, _ oneCaller: Int, _ two: Sample, _ twoCaller: Int) -> Bool {
        guard one.architecture == two.architecture else { return false }
        let length = min(oneCaller, twoCaller, CallerWindow.length)
        // A sample that holds less than half a window before its call can't be compared.
        guard length >= min(16, oneCaller), length > 0 else { return false }
        let equal = (1...length).filter { one.code.bytes[oneCaller - $0] == two.code.bytes[twoCaller - $0] }.count
        return Double(equal) >= leastAlike * Double(length)
    }
}

/// What is known of the bytes of one sample: which a load address would change, by kind.
struct CodeMap {
    /// In bytes: how far ahead of what is asked for the decoding begins, so that it is in step by then.
    private static let runUp = 64

    let code: ExtractedCode
    let caller: Int
    let architecture: Architecture
    private(set) var kinds: [Int: VariableField.Kind] = [:]
    private var known: Range<Int>

    /// Decodes only the surroundings of the caller's address.
    init(_ sample: Sample, caller: Int) {
        code = sample.code
        architecture = sample.architecture
        self.caller = caller
        known = max(0, caller - 192)..<min(sample.code.bytes.count, caller + 64)
        add(
            Disassembly.instructions(
                of: code, callersAddress: sample.callersAddress, architecture: architecture, part: known, withText: false))
    }

    private mutating func add(_ instructions: [Instruction]) {
        for field in instructions.flatMap(\.variable) { for position in field.range { kinds[position] = field.kind } }
    }

    /// The positions in a range that vary; decodes it first if it lies elsewhere.
    mutating func variable(in range: Range<Int>) -> [Int] {
        if !(known.lowerBound <= range.lowerBound && range.upperBound <= known.upperBound) {
            var start = max(0, range.lowerBound - Self.runUp)
            if architecture == .arm64 { start += (caller - start) & 3 }
            let part = start..<min(code.bytes.count, range.upperBound + 16)
            add(
                Disassembly.instructions(
                    of: code, callersAddress: code.base, architecture: architecture, part: part, withText: false))
        }
        return range.filter { kinds[$0] != nil }
    }
}
