// SPDX-License-Identifier: Apache-2.0

import Foundation
import Glibc
import TestSupport
import Testing

/// The short form of `make failover`: two centers over a database of three machines, of which the primary's PostgreSQL, a center, the
/// synchronous standby and the primary's machine die.
@Suite struct ShortFailoverTests {
    @Test(.enabled(if: getuid() == 0, "needs root, for namespaces of its own"))
    func `nothing that was acknowledged is lost when machines of the database die`() async throws {
        // Not by its script, which builds: SwiftPM runs one command at a time.
        let build = URL(filePath: try Command.built("epitope")).deletingLastPathComponent().path
        let run = try await Command.run("\(PackageFolder.path)/Bench/Failover/in-namespaces", [build, "--short"], seconds: 900)
        #expect(run.status == 0, "\(run.output)\(run.errors)")
        let result = try #require(
            run.output.firstMatch(of: /RESULT faults=(\d+) acknowledged=(\d+) (.*) writes_stopped_s_median=/), "\(run.output)\(run.errors)")
        #expect(try #require(Int(result.1)) >= 4 && #require(Int(result.2)) > 0)
        #expect(result.3 == "lost=0 doubled=0 gaps=0 wedged=0", "\(run.output)\(run.errors)")
    }
}
