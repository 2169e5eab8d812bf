// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import KernelBackend
import KernelWatch
import TestSupport
import Testing

/// Code of a program's own in memory that the kernel calls written, or anonymous, by the tracepoint: the agent compares it with the file
/// while the program goes on. `DenyingLevelTests` has the same by hooks, which hold the call meanwhile.
@Suite(.serialized, .enabled(if: Kernel.canLoad, Kernel.why)) struct OwnCodeTests {
    /// The reports of a program that stays until the agent has compared.
    private func reports(
        _ program: OwnCodeProgram, _ way: String, output: String = "connected", atLeast count: Int = 0
    ) async throws -> [Detection] {
        let watch = try #require(Watch.shared)
        let running = try RunningProcess([program.path, way, "linger"])
        _ = try await running.line(with: output)
        // Reports come in the order of the calls.
        let mark = try await Fixtures.run("call-stub", ["direct", "anonymous", "send", "9"])
        #expect(await watch.calls(of: mark.processID).count == 1)
        let found = await watch.calls(of: running.identifier, atLeast: count, milliseconds: 1000)
        running.send(SIGKILL)
        try await running.end()
        return found
    }

    @Test(arguments: ["plain", "breakpoint", "restored", "copied"]) func `page that is explained is an image`(_ way: String) async throws {
        let found = try await reports(try await OwnCodeProgram(), way)
        #expect(found.isEmpty, "\(found.map(\.evidence))")
    }

    @Test(arguments: ["adjacent", "code", "over-code", "writable"]) func `page that is not explained is a written page`(_ way: String)
        async throws
    {
        let found = try await reports(try await OwnCodeProgram(), way, atLeast: 1)
        #expect(found.map { $0.evidence.first?.kind } == [.writtenImagePage])
    }

    @Test func `copy of an image in its place that differs is told`() async throws {
        let found = try await reports(try await OwnCodeProgram(), "copied-changed", atLeast: 1)
        #expect(found.map { $0.evidence.first?.kind } == [.libraryCall])
    }

    @Test(arguments: ["plain", "breakpoint"]) func `text relocations are no change of code`(_ way: String) async throws {
        let found = try await reports(try await OwnCodeProgram.relocated(), way)
        #expect(found.isEmpty, "\(found.map(\.evidence))")
    }

    /// Where the page was written, its code is the caller's; else the library is, whose code the kernel didn't copy.
    /// A debugger's breakpoint in the page of the library makes it no caller.
    @Test(
        arguments: [
            ("planted", .writtenImagePage), ("planted-beside", .impossibleReturn), ("planted-library", .impossibleReturn),
        ] as [(String, EvidenceKind)])
    func `impossible return address has its caller's code`(_ test: (way: String, kind: EvidenceKind)) async throws {
        let program = try await OwnCodeProgram()
        let call = try #require(try await reports(program, test.way, atLeast: 1).last)
        #expect(call.evidence.map(\.kind) == [test.kind], "\(call.evidence)")
        let offset = try #require(call.code.offset(of: call.callersAddress), "\(call.code.base) \(call.callersAddress)")
        switch test.kind {
        // The function's `ret`, in the program.
        case .writtenImagePage: #expect(call.code.bytes[offset] == 0xC3)
        // Behind the library's `syscall`.
        default: #expect(call.code.bytes[..<offset].suffix(2) == [0x0F, 0x05])
        }
    }

    /// Each is judged, and the first one reported.
    @Test func `calls that a context of the librarys begins with are seen each time`() async throws {
        let repeated = try #require(Watch.shared).backend.statistics.repeated
        let found = try await reports(try await OwnCodeProgram(), "context", atLeast: 1)
        #expect(found.map { $0.evidence.map(\.kind) } == [[.impossibleReturn]], "\(found.map(\.evidence))")
        #expect(try #require(Watch.shared).backend.statistics.repeated > repeated)
    }

    @Test(.enabled(if: OwnCodeProgram.canPack, "needs upx-ucl")) func `packed program is reported as such`() async throws {
        let found = try await reports(try await OwnCodeProgram.packed(), "plain", atLeast: 1)
        #expect(!found.isEmpty && found.allSatisfy { $0.evidence.map(\.kind) == [.packedProgram] }, "\(found.map(\.evidence))")
    }

    @Test(.enabled(if: OwnCodeProgram.canPack, "needs upx-ucl")) func `other code behind a packed program's is told`() async throws {
        let found = try await reports(try await OwnCodeProgram.packed(), "behind", atLeast: 2)
        #expect(found.last?.evidence.first?.kind == .directCall, "\(found.map(\.evidence))")
    }

    /// Elsewhere than where the program unpacks itself: there its code is what it is when the agent looks, and it goes on meanwhile.
    @Test(.enabled(if: OwnCodeProgram.canPack, "needs upx-ucl")) func `other code in a packed program is told`() async throws {
        let found = try await reports(try await OwnCodeProgram.packed(), "anonymous", atLeast: 2)
        #expect(found.last?.evidence.first?.kind == .directCall, "\(found.map(\.evidence))")
    }

    @Test(
        .enabled(if: KernelProbes.isPossible, "needs root, and a kernel with uprobes"),
        // At the very call, the kernel program finds the probe in its place: that call can't be checked.
        arguments: [("calling", 0, []), ("calling", 4, [.uncheckedReturn]), ("unused", 0, [])] as [(String, UInt64, [EvidenceKind])])
    func `probed page is an image`(_ probe: (symbol: String, distance: UInt64, evidence: [EvidenceKind])) async throws {
        let program = try await OwnCodeProgram()
        let probes = try KernelProbes()
        try probes.set("p", program.path, at: try #require(try await program.fileOffset(of: probe.symbol)) + probe.distance)
        let found = try await reports(program, "restored")
        #expect(found.flatMap { $0.evidence.map(\.kind) } == probe.evidence, "\(found.map(\.evidence))")
        withExtendedLifetime(probes) {}
    }
}
