// SPDX-License-Identifier: Apache-2.0

import Disassembly
import EpitopeModel
import SignatureMaking
import SignatureProving
import Signatures

/// The result of `epitope extract`, as JSON.
struct ExtractDocument: Encodable {
    struct Line: Encodable {
        var address: String
        var bytes: String
        var text: String
        /// Why bytes of it vary; empty if none do.
        var variable: [String]
    }

    struct Code: Encodable {
        var name: String
        var architecture: String
        var caller: String
        var instructions: [Line]
    }

    struct Candidate: Encodable {
        var id: String
        var signature: Signature
        var matchedSamples: Int
        var isAbsentFromGoodware: Bool?
        var isOnWire: Bool?
        var bits: Double
        /// Offsets in the code: the first byte, and the one after the last.
        var place: [Int]?
    }

    struct Proven: Encodable {
        var id: String
        var signature: Signature
        var passed: Bool
        var proof: Proof
    }

    var code: Code
    /// Without `--all` those that were proven.
    var candidates: [Candidate]
    var proofs: [Proven]
    /// Files of the folder that are not among the samples.
    var skipped: [ExtractInput.Skipped]

    init(
        shown: ExtractInput.Named, instructions: ArraySlice<Instruction>, ranked: [RankedCandidate], outcome: ProverResult, all: Bool,
        skipped: [ExtractInput.Skipped]
    ) {
        let sample = shown.sample
        let proven = Set(outcome.proven.map(\.signature.id))
        self.skipped = skipped
        code = Code(
            name: shown.name, architecture: sample.architecture.rawValue, caller: "0x" + String(sample.callersAddress, radix: 16),
            instructions: instructions.map { instruction in
                Line(
                    address: "0x" + String(sample.code.base &+ UInt64(instruction.range.lowerBound), radix: 16),
                    bytes: Hex.encode(sample.code.bytes[instruction.range]), text: instruction.text,
                    variable: instruction.variable.map(\.kind.rawValue))
            })
        candidates = ranked.filter { all || proven.contains($0.signature.id) }.map { candidate in
            Candidate(
                id: candidate.signature.id, signature: candidate.signature, matchedSamples: candidate.score.covered,
                isAbsentFromGoodware: candidate.score.isAbsent, isOnWire: candidate.score.isOnWire, bits: candidate.score.bits,
                place: candidate.place.map { [$0.lowerBound, $0.upperBound] })
        }
        let items = outcome.proven + [outcome.failed].compactMap { $0 }
        proofs = items.map { Proven(id: $0.signature.id, signature: $0.signature, passed: $0.proof.passed, proof: $0.proof) }
    }
}
