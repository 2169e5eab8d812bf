// SPDX-License-Identifier: Apache-2.0

import Captures
import EpitopeModel
import Rendering
import Signatures
import TokenSequences

/// The checks that don't depend on the cluster that a signature comes from.
extension SignatureProver {
    /// What ``independentChecks(of:wire:packets:)`` found.
    struct Independent {
        var checks: [Proof.Check]
        /// The signature, to be searched for where an engine sees it.
        var signature: Signature
        var carriers: [CapturedFlow] = []
        /// Benign captures that could not be looked at.
        var unlookedCaptures: [String] = []
    }

    /// Checks goodware, wire, benign flows, engines and cost, in this order.
    ///
    /// - Parameters:
    ///   - wire: `nil` for a signature that came without its packets.
    ///   - packets: how many of its cluster's packets it matches; `nil` for one that came without.
    func independentChecks(of signature: Signature, wire: WireEvidence?, packets: Int?) -> Independent {
        let goodware = absentFromGoodware(signature)
        let isUndecided = goodware.outcome == .failed && isBeyondIndex(signature, packets: packets)
        // A signature that matches goodware needs no further reason, and reading captures is expensive.
        guard goodware.outcome != .failed || isUndecided else { return Independent(checks: [goodware], signature: signature) }
        let found =
            wire?.find(signature) ?? WireEvidence.Findings(check: Proof.Check(.onTheWire, .notChecked, "it came without its packets"))
        var signature = signature
        if !found.places.isEmpty, found.places != [nil] { signature.context = signature.context.searched(in: found.places) }
        let firing = material.isEngineAsked && !found.flows.isEmpty ? [engineFires(signature)] : []
        let (benign, unlooked) = noBenignFlow(signature)
        let others = [found.check, benign, engineSuricata(signature)] + firing + [cost(signature)]
        // A scan of the corpus is the most expensive: seconds for gigabytes.
        let isScanNeeded = isUndecided && !others.contains { $0.outcome == .failed }
        let first = isScanNeeded ? absentFromCorpus(signature) : goodware
        return Independent(checks: [first] + others, signature: signature, carriers: found.flows, unlookedCaptures: unlooked)
    }

    /// Suricata runs later, for a run takes as long as all else until a rule is live; but what it said before, it would say again.
    private func engineFires(_ signature: Signature) -> Proof.Check {
        answers[EngineQuestion(signature)]
            ?? Proof.Check(
                .engineFires, .notChecked, "Suricata has not run yet over the flow that carried the attack; until then the rule only alerts"
            )
    }

    /// A signature without a rule can't be delivered. Starting Suricata here would delay the live rule by tens of
    /// milliseconds, for an answer that the delivery gives as well.
    private func engineSuricata(_ signature: Signature) -> Proof.Check {
        // An engine looks at each datagram as a whole.
        guard signature.context.transport == .udp || signature.minSpan <= EngineReach.streamSpan else {
            return Proof.Check(
                .engineSuricata, .failed,
                "its tokens lie over at least \(signature.minSpan) bytes of a stream, of which an engine sees \(EngineReach.streamSpan) at once"
            )
        }
        do {
            let rules = try SuricataRule.rules(
                RuleInput(signature: signature, sid: SIDRange.all.lowerBound, message: "", createdMilliseconds: 0, lifetimeDays: 1))
            let bytes = rules.reduce(0) { $0 + $1.text.utf8.count }
            return Proof.Check(
                .engineSuricata, .notChecked,
                "\(rules.count == 1 ? "a rule" : "\(rules.count) rules") of \(bytes) bytes; the delivery proves the form and reads Suricata's answer"
                    + (rules.contains(where: \.canBeOverrun) ? "; a datagram or body with thousands of copies of a token gets past it" : "")
                    + (signature.context.buffers == [nil]
                        ? ""
                        : "; it searches \(signature.context.buffers.map { $0?.title ?? "the stream" }.sorted().joined(separator: " and "))")
            )
        } catch {
            return Proof.Check(.engineSuricata, .failed, error.message)
        }
    }

    private func cost(_ signature: Signature) -> Proof.Check {
        let cost = SignatureCost(of: signature)
        return Proof.Check(
            .cost, passed: cost.isCheap,
            "fast pattern of \(cost.fastPatternLength) bytes, \(Int(cost.fastPatternBits)) bits; \(cost.contents) contents")
    }
}
