// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import GoodwareFiles
import GoodwareReading
import GoodwareIndex
import Signatures

/// Whether goodware contains a signature: by the index in memory, or where that can't decide, by a scan of the corpus. What of the
/// goodware was not read is said; if it is too much, nothing is shown.
extension SignatureProver {
    func absentFromGoodware(_ signature: Signature) -> Proof.Check {
        if let outage = material.goodwareOutage { return Proof.Check(.absentFromGoodware, .failed, outage) }
        guard let index = material.index else {
            return unproven(
                "no goodware index is at hand; build one with `epitope goodware build`, and name it by --goodware or in a center's settings"
            )
        }
        let isAbsent = index.provesAbsence(of: signature)
        do {
            // Asked afterwards: an index that was cut short while it was read says "absent" of everything.
            try material.goodware?.requireUnchanged()
        } catch {
            return Proof.Check(.absentFromGoodware, .failed, error.message)
        }
        let size = "\(index.corpusBytes) bytes of goodware"
        guard isAbsent else { return Proof.Check(.absentFromGoodware, .failed, "the index can't show that it is absent from \(size)") }
        return absent(
            "a window of \(GoodwareIndex.windowLength) of its bytes is nowhere in \(size)", unread: material.goodware?.unread ?? .none,
            files: material.goodware?.fileCount ?? 0)
    }

    /// Whether no token is as long as the windows that the index knows, and the corpus may be read for it.
    ///
    /// Reading it takes seconds for gigabytes, so a single forged packet must not cause it: several packets match, or it came without
    /// packets from a center that may forward some. What a signature says of its own making counts for nothing. Where caller windows
    /// shorter than the index's were chosen, one packet is enough for its window: nothing else could be proven of it.
    ///
    /// - Parameter packets: how many packets it matches; `nil` for a signature that came without them.
    func isBeyondIndex(_ signature: Signature, packets: Int?) -> Bool {
        let longest = signature.tokens.flatMap(\.fixedRuns).map(\.count).max() ?? 0
        let isWindow = signature.tokens.count == 1 && signature.tokens[0].masked.isEmpty && longest >= material.callerWindow
        return material.goodware != nil && (packets ?? .max > 1 || isWindow)
            && (Signature.minScannedRun..<GoodwareIndex.windowLength).contains(longest)
    }

    func absentFromCorpus(_ signature: Signature) -> Proof.Check {
        guard let goodware = material.goodware else { return absentFromGoodware(signature) }
        do {
            let summary = try CorpusSearch.run([signature], corpus: goodware)
            if case .found(let unit, let offset) = summary.findings.first {
                return Proof.Check(.absentFromGoodware, .failed, "\(unit) holds it at byte \(offset)")
            }
            return absent(
                "its tokens are too short for the index; a search of the corpus found it nowhere in \(summary.bytes) bytes of goodware",
                unread: summary.unread, files: summary.files)
        } catch {
            return Proof.Check(.absentFromGoodware, .failed, "its tokens are too short for the index, and \(error.message)")
        }
    }

    /// Shown for what was read. The proof names one file that was not: the index has more.
    private func absent(_ what: String, unread: UnreadFiles, files: Int) -> Proof.Check {
        guard let first = unread.named.first else { return Proof.Check(.absentFromGoodware, .passed, what) }
        let missing = "\(unread.count) of \(UInt64(files) + unread.count) files were not read, such as \(first.path): \(first.reason)"
        guard unread.isTooMany(beside: files) else { return Proof.Check(.absentFromGoodware, .passed, "\(what); \(missing)") }
        return unproven("too much of the goodware is unknown: \(missing); see `epitope goodware info`")
    }

    private func unproven(_ why: String) -> Proof.Check {
        material.isGoodwareRequired
            ? Proof.Check(.absentFromGoodware, .failed, why)
            : Proof.Check(.absentFromGoodware, .notChecked, "\(why); none is required")
    }
}
