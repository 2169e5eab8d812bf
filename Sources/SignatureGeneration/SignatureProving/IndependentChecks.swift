// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Rendering
import Signatures
import TokenSequences

/// The checks that don't depend on the cluster that a signature comes from.
extension SignatureProver {
    /// Checks goodware, wire, benign flows, engines and cost, in this order.
    ///
    /// - Parameters:
    ///   - wire: `nil` for a signature that came without its packets.
    ///   - packets: how many of its cluster's packets it matches; `nil` for one that came without.
    func independentChecks(of signature: Signature, wire: WireEvidence?, packets: Int?) -> [Proof.Check] {
        let goodware = absentFromGoodware(signature)
        let isUndecided = goodware.outcome == .failed && isBeyondIndex(signature, packets: packets)
        // A signature that matches goodware needs no further reason, and reading captures is expensive.
        guard goodware.outcome != .failed || isUndecided else { return [goodware] }
        let others = [
            wire?.check(signature) ?? Proof.Check(.onTheWire, .notChecked, "it came without its packets"),
            noBenignFlow(signature), engineSuricata(signature), cost(signature),
        ]
        // A scan of the corpus is the most expensive: seconds for gigabytes.
        let isScanNeeded = isUndecided && !others.contains { $0.outcome == .failed }
        return [isScanNeeded ? absentFromCorpus(signature) : goodware] + others
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
                    + (rules.contains(where: \.canBeOverrun) ? "; a datagram with thousands of copies of a token gets past it" : ""))
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
