// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import GoodwareFiles
import GoodwareIndex
import Signatures

/// Whether goodware contains a signature: by the index in memory, or where that can't decide, by a scan of the corpus.
extension SignatureProver {
    func absentFromGoodware(_ signature: Signature) -> Proof.Check {
        guard let index = material.index else {
            return material.isGoodwareRequired
                ? Proof.Check(
                    .absentFromGoodware, .failed,
                    "no goodware index is at hand; build one with `epitope goodware build` and name it in the settings")
                : Proof.Check(.absentFromGoodware, .notChecked, "no goodware index is at hand, and none is required")
        }
        let size = "\(index.corpusBytes) bytes of goodware"
        let isAbsent = index.provesAbsence(of: signature)
        do {
            // Asked afterwards: an index that was cut short while it was read says "absent" of everything.
            try material.goodware?.requireUnchanged()
        } catch {
            return Proof.Check(.absentFromGoodware, .failed, error.message)
        }
        return isAbsent
            ? Proof.Check(.absentFromGoodware, .passed, "a window of \(GoodwareIndex.windowLength) of its bytes is nowhere in \(size)")
            : Proof.Check(.absentFromGoodware, .failed, "the index can't show that it is absent from \(size)")
    }

    /// Whether no token is as long as the windows that the index knows, and the corpus itself can be read.
    ///
    /// Only for signatures that were made of several packets: a single forged packet must not cause gigabytes to be
    /// read.
    func isBeyondIndex(_ signature: Signature) -> Bool {
        let isOfSeveral = (signature.provenance?.samples ?? 0) > 1
        return material.goodware != nil && isOfSeveral
            && [.maskedWindow, .tokenSequence, .conjunction].contains(signature.provenance?.strategy)
            && !signature.tokens.contains { $0.fixedRuns.contains { $0.count >= GoodwareIndex.windowLength } }
    }

    func absentFromCorpus(_ signature: Signature) -> Proof.Check {
        guard let goodware = material.goodware else { return absentFromGoodware(signature) }
        do {
            let summary = try CorpusSearch.run([signature], corpus: goodware)
            if case .found(let unit, let offset) = summary.findings.first {
                return Proof.Check(.absentFromGoodware, .failed, "\(unit) holds it at byte \(offset)")
            }
            return Proof.Check(
                .absentFromGoodware, .passed,
                "its tokens are too short for the index; a search of the corpus found it nowhere in \(summary.bytes) bytes of goodware")
        } catch {
            return Proof.Check(.absentFromGoodware, .failed, "its tokens are too short for the index, and \(error.message)")
        }
    }
}
