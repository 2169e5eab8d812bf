// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import KernelWatch
import TestSupport
import Testing

@testable import KernelBackend

/// A program whose file was deleted, seen by the agent: where it has other evidence against a call.
@Suite(.enabled(if: Kernel.canLoad, Kernel.why)) struct DeletedProgramTests {
    /// - Parameter line: a shell line that runs the program of `$1`.
    private func kinds(_ line: String) async throws -> [EvidenceKind] {
        let watch = try #require(Watch.shared)
        let folder = try TemporaryFolder()
        let program = folder.path + "/program"
        try FileManager.default.copyItem(atPath: Fixtures.path("call-series"), toPath: program)
        let hidden = "mount -t tmpfs none /var/lib/dpkg; " + line
        let run = try await Command.run(
            "/usr/bin/unshare", ["--mount", "/bin/sh", "-c", hidden, "sh", program], seconds: 30)
        return await watch.calls(of: run.processID).first?.evidence.map(\.kind) ?? []
    }

    // It is there while its first call is looked at: the second one is made a second later.
    // What it was started from has no name any more when it begins.
    private static let deleting = #"exec 3< "$1"; rm "$1"; "#
    private static let calling = "exec /proc/self/fd/3 2 1000 9"

    @Test func `is told beside other evidence`() async throws {
        let kinds = try await kinds(Self.deleting + Self.calling)
        #expect(kinds == [.directCall, .deletedFile], "\(kinds)")
    }

    @Test(arguments: [
        #"exec "$1" 2 1000 9"#, deleting + #"cp /bin/true "$1"; "# + calling,
        deleting + ": > /var/lib/dpkg/status; " + calling,
    ])
    func `is not told where it has a name, was replaced, or packages changed`(_ line: String) async throws {
        #expect(try await kinds(line) == [.directCall])
    }
}
