// SPDX-License-Identifier: Apache-2.0

import Disassembly
import EpitopeModel
import HostFrontEnd
import Rendering
import SignatureMaking
import SignatureProving
import Signatures

/// The result of `epitope extract`, as text and as JSON.
struct ExtractReport {
    var samples: [ExtractInput.Named]
    var skipped: [ExtractInput.Skipped]
    var ranked: [RankedCandidate]
    /// How many candidates there were.
    var total: Int
    var outcome: ProverResult

    /// How many instructions are shown before and after the caller's address or the chosen bytes.
    private static let surroundings = 24
    /// So many instructions of nothing but zeros, which is what padding looks like, are shown as one line.
    private static let minFill = 3

    var text: String {
        var parts = [disassembly, candidates]
        if total > ranked.count { parts.append("\(total - ranked.count) more with --all") }
        parts.append(proofs)
        return parts.joined(separator: "\n\n")
    }

    /// - Parameter all: whether it has all candidates and instructions; else what was proven, and the code around it.
    func document(all: Bool) -> ExtractDocument {
        ExtractDocument(
            shown: shown, instructions: all ? instructions[...] : shownInstructions, ranked: ranked, outcome: outcome, all: all,
            skipped: skipped)
    }

    /// The sample that the best candidate was made of: its bytes are at the candidate's position.
    private var shown: ExtractInput.Named {
        guard let best = ranked.first, let place = best.place else { return samples[0] }
        return samples.first {
            $0.sample.code.bytes.count >= place.upperBound && best.signature.matches(Array($0.sample.code.bytes[place]))
        }
            ?? samples[0]
    }

    /// Those of the shown sample.
    private var instructions: [Instruction] {
        let sample = shown.sample
        return Disassembly.instructions(of: sample.code, callersAddress: sample.callersAddress, architecture: sample.architecture)
    }

    /// Those around the call and the best candidate's bytes.
    private var shownInstructions: ArraySlice<Instruction> {
        let (instructions, sample, place) = (instructions, shown.sample, ranked.first?.place)
        let caller = sample.code.offset(of: sample.callersAddress) ?? 0
        let marks = instructions.indices.filter {
            instructions[$0].range.upperBound == caller || place.map(instructions[$0].range.overlaps) ?? false
        }
        let first = max(0, (marks.first ?? 0) - Self.surroundings)
        let last = min(instructions.count - 1, (marks.last ?? 0) + Self.surroundings)
        return first <= last ? instructions[first...last] : []
    }

    private var disassembly: String {
        let (sample, place) = (shown.sample, ranked.first?.place)
        let masked = Set((ranked.first?.signature.tokens.first?.masked ?? []).map { $0 + (place?.lowerBound ?? 0) })
        let caller = sample.code.offset(of: sample.callersAddress) ?? 0
        var rows = [["", "address", "bytes", "instruction", ""]]
        var rest = shownInstructions
        while let instruction = rest.first {
            let fill = rest.prefix { isFill($0, of: sample.code.bytes, place: place, caller: caller) }
            if fill.count >= Self.minFill, let last = fill.last {
                let address = "0x" + String(sample.code.base &+ UInt64(instruction.range.lowerBound), radix: 16)
                rows.append([" ", address, "00 ...", "\(last.range.upperBound - instruction.range.lowerBound) bytes of zeros", ""])
                rest = rest.dropFirst(fill.count)
                continue
            }
            rest = rest.dropFirst()
            let bytes = instruction.range.map { masked.contains($0) && place != nil ? "??" : Hex.encode([sample.code.bytes[$0]]) }
            let address = sample.code.base &+ UInt64(instruction.range.lowerBound)
            var notes = Set(instruction.variable.map(\.kind.rawValue)).sorted()
            if instruction.range.upperBound == caller { notes.insert("<- the call", at: 0) }
            rows.append([
                place.map(instruction.range.overlaps) ?? false ? ">" : " ", "0x" + String(address, radix: 16), bytes.joined(separator: " "),
                instruction.text, notes.joined(separator: "; "),
            ])
        }
        return "\(shown.name), \(sample.architecture.rawValue), > marks the best candidate's bytes\n" + Console.table(rows)
    }

    /// Whether an instruction is nothing but zeros, and neither the call nor of the best candidate's bytes.
    private func isFill(_ instruction: Instruction, of bytes: [UInt8], place: Range<Int>?, caller: Int) -> Bool {
        bytes[instruction.range].allSatisfy { $0 == 0 } && instruction.range.upperBound != caller
            && !(place.map(instruction.range.overlaps) ?? false)
    }

    private var candidates: String {
        ranked.enumerated().map { number, candidate in
            let reasons = candidate.signature.provenance?.reasons ?? []
            let strategy = candidate.signature.provenance?.strategy.rawValue ?? ""
            return (["\(number + 1). \(strategy)  \(candidate.signature.id)", "   \(candidate.signature)"] + reasons.map { "   - \($0)" })
                .joined(separator: "\n")
        }.joined(separator: "\n")
    }

    private var proofs: String {
        let items = outcome.proven.map { ($0, "proven") } + (outcome.failed.map { [($0, "refused")] } ?? [])
        return items.map { item, word in
            let rows = item.proof.checks.map { ["  " + $0.name.rawValue, $0.outcome.rawValue, $0.detail] }
            return "\(word): \(item.signature.id)\n" + Console.table(rows)
        }.joined(separator: "\n")
    }

    /// When the signatures could be made: when the newest sample was caught. The same samples give the same rules.
    private var createdMilliseconds: Int64 { samples.map(\.timeMilliseconds).max() ?? 0 }

    static let unproven = EpitopeError(
        .signatureUnproven, "no candidate was proven, so there is no rule", remedy: "see the reasons with --output text")

    /// The proven signatures as a file of rules. They don't expire in practice: nobody renews them or takes them back.
    ///
    /// - Parameter sid: the number of the first rule, which the others count on from; `nil` for each signature's own
    ///   (``SIDRange/number(ofSignature:)``). A center that delivers the signatures gives them numbers of its range.
    /// - Throws: `signature-unproven`, `sid-out-of-range`, and errors of the rendering.
    func rules(_ language: any SignatureRendering.Type, sid: UInt32?) throws(EpitopeError) -> String {
        guard !outcome.proven.isEmpty else { throw Self.unproven }
        var inputs: [RuleInput] = []
        for item in outcome.proven {
            // Rules have numbers, and a signature about several kinds of traffic several rules: each gets a number of its own.
            let parts = language.hasNumbers ? item.signature.context.parts : [item.signature.context]
            for part in parts {
                var signature = item.signature
                signature.context = part
                var number = sid.map { $0 &+ UInt32(inputs.count) } ?? SIDRange.number(ofSignature: signature.id)
                // Of two with the same one, the second takes the next.
                while inputs.contains(where: { $0.sid == number }) { number &+= 1 }
                inputs.append(
                    RuleInput(
                        signature: signature, sid: number, sids: SIDRange.possible, createdMilliseconds: createdMilliseconds,
                        lifetimeDays: RuleInput.maxLifetimeDays))
            }
        }
        return try language.file(of: inputs)
    }
}
