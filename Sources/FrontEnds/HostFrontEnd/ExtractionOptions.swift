// SPDX-License-Identifier: Apache-2.0

package import ArgumentParser
package import BehaviourBlocking
package import EpitopeModel

/// Options of how malicious code is taken out of processes, and how much of it.
package struct ExtractionOptions: ParsableArguments {
    @Option(
        help: """
            How malicious code is extracted: copy leaves it in the process; cut also overwrites it while the process is held. \
            What could not be overwritten is told in the event log, and counted.
            """)
    package var extraction: ExtractionMode = .copy

    @Option(
        parsing: .unconditional,
        help: "The largest region of code that is extracted whole, in bytes (256 to 8192: a packet carries no more).")
    package var maxCode = ExtractionAmounts().maxWholeBytes

    @Option(
        parsing: .unconditional,
        help: "What is extracted of a larger one, in bytes on each side of the caller's address (256 to 4096).")
    package var snippetSide = ExtractionAmounts().sideBytes

    package init() {}

    package func validate() throws {
        let (whole, side) = (ExtractionAmounts.wholeBounds, ExtractionAmounts.sideBounds)
        guard whole.contains(maxCode) else { throw ValidationError("--max-code takes \(whole.lowerBound) to \(whole.upperBound)") }
        guard side.contains(snippetSide) else { throw ValidationError("--snippet-side takes \(side.lowerBound) to \(side.upperBound)") }
    }

    /// - Parameter place: at the center the amounts are the center's: it gets as much as a packet carries.
    package func settings(at place: ExtractionPlace) -> ExtractionSettings {
        ExtractionSettings(
            mode: extraction,
            amounts: place == .center ? ExtractionAmounts() : ExtractionAmounts(maxWholeBytes: maxCode, sideBytes: snippetSide))
    }
}
