// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import ProcessInspection

/// Takes the malicious code out of a stalled process.
struct CodeExtractor {
    let memory: ProcessMemory
    private let verdict: Verdict
    private let range: ExtractionRange?

    /// - Parameter verdict: names the caller's address and its region.
    init(_ memory: ProcessMemory, _ verdict: Verdict, _ amounts: ExtractionAmounts) {
        self.memory = memory
        self.verdict = verdict
        range = ExtractionRange(of: verdict.region, callersAddress: verdict.callersAddress, amounts: amounts)
    }

    /// Copies the code at the caller's address: empty if the address doesn't lie in its region.
    func extract() -> ExtractedCode {
        guard let range else { return ExtractedCode(base: verdict.callersAddress, bytes: [], isWholeRegion: false) }
        return range.code(read: memory.read(range.start, range.count))
    }

    /// Overwrites what ``extract()`` copies with breakpoint instructions.
    ///
    /// - Returns: `nil`: there is nothing to overwrite, since the code is an image's.
    func overwrite() -> CodeCut? {
        guard let range else { return nil }
        return CodeCutter(process: memory.thread).overwrite(
            range.start, range.count, in: verdict.region, with: ExtractionMode.breakpoint)
    }
}
