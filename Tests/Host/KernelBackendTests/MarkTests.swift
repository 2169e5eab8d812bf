// SPDX-License-Identifier: Apache-2.0

import CKernelProgram
import EpitopeModel
import Foundation
import KernelWatch
import TestSupport
import Testing

@testable import KernelBackend

/// Which processes are inspected, and what is said of why.
@Suite(.serialized) struct MarkTests {
    @Test func `every reason of the kernel program has a name`() {
        let all = (1..<EPITOPE_REASONS.rawValue).reduce(UInt32(0)) { $0 | 1 << $1 }
        #expect(MarkReason.reasons(of: all) == MarkReason.allCases)
        #expect(Set(MarkReason.allCases.map(\.inKernel.rawValue)).count == Int(EPITOPE_REASONS.rawValue) - 1)
        let two = 1 << EPITOPE_REASON_INHERITED.rawValue | 1 << EPITOPE_REASON_MAPPED.rawValue as UInt32
        #expect(MarkReason.reasons(of: two) == [.mapped, .inherited])
    }

    private func reasons(_ program: String, _ arguments: [String]) async throws -> [MarkReason] {
        let watch = try #require(Watch.shared)
        let run = try await Command.run(program, arguments, environment: Fixtures.environment)
        let process = try #require(Announcement(run.output).processID, "output: \(run.output) \(run.errors)")
        return try #require(await watch.calls(of: process).first, "output: \(run.output) \(run.errors)").markedFor
    }

    @Test(.enabled(if: Kernel.canLoad, Kernel.why)) func `a report says what the process was marked for`() async throws {
        let stub = Fixtures.path("call-stub")
        #expect(try await reasons(stub, ["direct", "anonymous", "send", "9"]) == [.protected])
        #expect(try await reasons(stub, ["direct", "memory-file", "send", "9"]) == [.mapped])
        #expect(try await reasons(stub, ["direct", "implied", "send", "9"]).contains(.personality))
    }

    /// As what a compiler has just linked is run at once.
    @Test(.enabled(if: Kernel.canLoad, Kernel.why)) func `a program that was written a moment ago is not marked for that`() async throws {
        let folder = try TemporaryFolder()
        let copy = "cp \(Fixtures.path("call-stub")) \(folder.path)/stub && exec \(folder.path)/stub direct anonymous send 9"
        #expect(try await reasons("/bin/sh", ["-c", copy]) == [.protected])
    }

    /// A mark of an address space that has ended would be that of the next one in its place.
    @Test(.enabled(if: Kernel.canLoad, Kernel.why)) func `who writes to the memory of an ended process marks nobody`() async throws {
        let watch = try #require(Watch.shared)
        let count = 500
        // Other processes of the machine are marked meanwhile, at times as many. Each of these writes would be one more, each time.
        var marked = UInt64.max
        for _ in 0..<20 where marked >= UInt64(count / 2) {
            let before = watch.backend.statistics.marked
            let run = try await Fixtures.run("call-stub", ["write-ended", String(count), "0"])
            #expect(run.output == "ended \(count)\n", "\(run.errors)")
            marked = watch.backend.statistics.marked - before
        }
        #expect(marked < UInt64(count / 2))
    }
}
