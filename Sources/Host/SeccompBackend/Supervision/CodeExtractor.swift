// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import CSeccomp
import EpitopeModel

/// Takes the malicious code out of a stalled process.
struct CodeExtractor {
    let memory: ProcessMemory
    private let verdict: Verdict
    private let range: ExtractionRange?

    /// - Parameter verdict: names the caller's address and its region.
    init(_ memory: ProcessMemory, _ verdict: Verdict) {
        self.memory = memory
        self.verdict = verdict
        range = ExtractionRange(of: verdict.region, callersAddress: verdict.callersAddress)
    }

    /// Copies the code at the caller's address: empty if the address doesn't lie in its region.
    func extract() -> ExtractedCode {
        guard let range else { return ExtractedCode(base: verdict.callersAddress, bytes: [], isWholeRegion: false) }
        return range.code(read: memory.read(range.start, range.count))
    }

    /// Overwrites what ``extract()`` copies with breakpoint instructions. Only ever in unbacked memory of the process's own.
    ///
    /// - Returns: whether all of it was overwritten.
    func overwrite() -> Bool {
        guard verdict.region.backing.isUnbacked, let range else { return true }
        let breakpoints = [UInt8](repeating: ExtractionMode.breakpoint, count: range.count)
        return epitope_write_memory(memory.thread, range.start, breakpoints, breakpoints.count) == breakpoints.count
    }
}
