// SPDX-License-Identifier: Apache-2.0

internal import EpitopeModel
internal import GoodwareFiles
internal import GoodwareIndex
internal import Rendering
internal import Signatures

/// The stable names of a report's checks, beside those of `SignatureCheck`.
public enum CheckName {
    /// The packets of its cluster hold it, all but the stated noise share.
    public static let matchesSamples = "matches-samples"
    /// No goodware holds it.
    public static let absentFromGoodware = "absent-from-goodware"
    /// A captured flow that carried the code holds it.
    public static let onTheWire = "on-the-wire"
    /// No captured flow that is held benign holds it.
    public static let noBenignFlow = "no-benign-flow"
    /// Suricata takes its rule.
    public static let engineSuricata = "engine-suricata"
}

extension SignatureProver {
    /// What is shown of a signature whatever cluster it comes from: goodware, wire, benign flows, engines, cost.
    func independentChecks(of signature: Signature, wire: WireEvidence?) -> [Proof.Check] {
        let goodware = absentFromGoodware(signature)
        let isUnspokenOf = goodware.outcome == .failed && isBeyondIndex(signature)
        // What is goodware needs no further reason, and captures are dear to read.
        guard goodware.outcome != .failed || isUnspokenOf else { return [goodware] }
        let others = [
            wire?.check(signature)
                ?? Proof.Check(
                    name: CheckName.onTheWire, outcome: .notChecked, detail: "it came without its packets"),
            noBenignFlow(signature), renders(signature), SignatureCost(of: signature).check,
        ]
        // A scan is dearer still: seconds for gigabytes.
        let isWorthScan = isUnspokenOf && !others.contains { $0.outcome == .failed }
        return [isWorthScan ? absentFromCorpus(signature) : goodware] + others
    }

    /// What has no rule never goes live. Starting an engine here would take tens of milliseconds of the time to the live
    /// rule, for an answer that its delivery gives, too.
    private func renders(_ signature: Signature) -> Proof.Check {
        let name = CheckName.engineSuricata
        do {
            let rule = try SuricataRule(
                signature: signature, sid: SIDRange.all.lowerBound, revision: 1, action: .alert, message: "", created: 0,
                lifetime: 1, origin: .site)
            return Proof.Check(
                name: name, outcome: .notChecked,
                detail: "a rule of \(rule.text.utf8.count) bytes; its delivery proves the rule's form and reads Suricata's answer")
        } catch {
            return Proof.Check(name: name, outcome: .failed, detail: error.message)
        }
    }

    private func absentFromGoodware(_ signature: Signature) -> Proof.Check {
        let name = CheckName.absentFromGoodware
        guard let index = material.index else {
            return material.isGoodwareRequired
                ? Proof.Check(
                    name: name, outcome: .failed,
                    detail: "no goodware index is at hand; build one with `epitope goodware build` and name it in the settings")
                : Proof.Check(name: name, outcome: .notChecked, detail: "no goodware index is at hand, and none is required")
        }
        let size = "\(index.corpusBytes) bytes of goodware"
        if index.provesAbsence(of: signature) {
            return Proof.Check(name: name, outcome: .passed, detail: "a window of 32 of its bytes is nowhere in \(size)")
        }
        return Proof.Check(
            name: name, outcome: .failed, detail: "the index can't show that it is absent from \(size)")
    }

    /// Whether no token is as long as the windows that the index knows, and the corpus itself can be asked.
    ///
    /// Only for what several packets have in common: whoever sends one packet of goodware must not get gigabytes read
    /// for it.
    private func isBeyondIndex(_ signature: Signature) -> Bool {
        material.goodware != nil && [.tokenSequence, .conjunction].contains(signature.provenance?.strategy)
            && !signature.tokens.contains { $0.fixedRuns.contains { $0.count >= GoodwareIndex.windowLength } }
    }

    private func absentFromCorpus(_ signature: Signature) -> Proof.Check {
        let name = CheckName.absentFromGoodware
        guard let goodware = material.goodware else { return absentFromGoodware(signature) }
        do {
            let summary = try CorpusScan.run([signature], corpus: goodware)
            let size = "\(summary.bytes) bytes of goodware"
            if case .found(let unit, let offset) = summary.findings.first {
                return Proof.Check(name: name, outcome: .failed, detail: "\(unit) holds it at byte \(offset)")
            }
            return Proof.Check(
                name: name, outcome: .passed, detail: "its tokens are too short for the index; sought itself, it is nowhere in \(size)")
        } catch {
            return Proof.Check(name: name, outcome: .failed, detail: "its tokens are too short for the index, and \(error.message)")
        }
    }
}
