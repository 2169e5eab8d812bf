// SPDX-License-Identifier: Apache-2.0

package import ArgumentParser
package import BehaviourBlocking

/// Options of how malicious code is taken out of processes.
package struct ExtractionOptions: ParsableArguments {
    @Option(
        help: """
            How malicious code is extracted: copy leaves it in the process; cut also overwrites it while the process is held. \
            What could not be overwritten is told in the event log, and counted.
            """)
    package var extraction: ExtractionMode = .copy

    package init() {}
}
