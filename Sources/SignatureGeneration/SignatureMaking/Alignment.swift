// SPDX-License-Identifier: Apache-2.0

import Disassembly
import EpitopeModel
import Signatures

/// Samples aligned at their caller's addresses.
struct Alignment {
    /// In bytes before the caller's address: as far back as masked windows reach.
    static let reach = 96
    /// Two samples belong together when at least so large a share of the bytes before their calls is equal.
    static let minEqualShare = 0.5
    /// A sample with less than half a window before its call can't be compared.
    private static let minComparedBytes = CallerWindow.length / 2
    /// How many samples are tried as the reference. Larger clusters are so much alike that these are representative.
    private static let maxReferences = 16

    /// The sample to which those of most reporters are alike, then most samples; the oldest of several.
    let reference: Int
    /// The samples that are alike to it, itself among them.
    let members: [Int]

    init(_ samples: [Sample], callers: [Int]) {
        var best: (reference: Int, members: [Int], voices: Int) = (0, [0], 1)
        let anchored = zip(samples, callers).map { Anchored(sample: $0, caller: $1) }
        for index in ReporterTurns.newest(Self.maxReferences, of: samples) {
            let members = anchored.indices.filter { $0 == index || anchored[index].isAlike(anchored[$0]) }
            let voices = ReporterTurns.voices(of: members, among: samples)
            if (voices, members.count) > (best.voices, best.members.count) { best = (index, members, voices) }
        }
        (reference, members) = (best.reference, best.members)
    }

    /// A sample, and the offset of its caller's address.
    private struct Anchored {
        var sample: Sample
        var caller: Int

        /// Whether enough of the bytes before the calls is equal.
        func isAlike(_ other: Anchored) -> Bool {
            guard sample.architecture == other.sample.architecture else { return false }
            let length = min(caller, other.caller, CallerWindow.length)
            guard length >= min(Alignment.minComparedBytes, caller), length > 0 else { return false }
            let equal = (1...length).count { sample.code.bytes[caller - $0] == other.sample.code.bytes[other.caller - $0] }
            return Double(equal) >= Alignment.minEqualShare * Double(length)
        }
    }
}

/// Which bytes of one sample's code vary with the load address or the victim, by kind.
struct CodeMap {
    /// In bytes: how far before a range the decoding begins, so that it is in step with the instructions by then, and how
    /// far behind it ends.
    private static let leadIn = 64
    private static let leadOut = 16
    /// In bytes before and behind the caller's address: what is decoded at first.
    private static let initialReach = (before: 192, behind: 64)
    /// In bytes: every instruction of arm64 is as long and as aligned.
    private static let arm64InstructionLength = 4

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
        known = max(0, caller - Self.initialReach.before)..<min(sample.code.bytes.count, caller + Self.initialReach.behind)
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
            var start = max(0, range.lowerBound - Self.leadIn)
            if architecture == .arm64 { start += (caller - start) & (Self.arm64InstructionLength - 1) }
            let part = start..<min(code.bytes.count, range.upperBound + Self.leadOut)
            add(
                Disassembly.instructions(
                    of: code, callersAddress: code.base, architecture: architecture, part: part, withText: false))
        }
        return range.filter { kinds[$0] != nil }
    }
}
