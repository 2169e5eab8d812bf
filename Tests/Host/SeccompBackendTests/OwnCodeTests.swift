// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Foundation
import Glibc
import SeccompBackend
import TestSupport
import Testing

/// Code of a program's own in memory that the kernel calls written, or anonymous: what equals a file is that file, and what
/// a packed program unpacked is its own. Changes that look alike, and are somebody else's, are still told.
@Suite struct OwnCodeTests {
    @Test(arguments: ["plain", "breakpoint", "restored", "copied"]) func `page that is explained is an image`(_ way: String) async throws {
        let program = try await OwnCodeProgram()
        let run = try await ProtectedRun.command(program.path, [way])
        #expect(run.output == "connected\n")
        #expect(run.detections == [])
    }

    @Test(arguments: [
        (way: "adjacent", detail: "2 bytes that differ from the file"), ("code", "bytes that differ from the file"),
        ("over-code", "bytes that differ from the file"), ("writable", "a written page of"),
    ]) func `page that is not explained is a written page, and the evidence says how it differs`(_ test: (way: String, detail: String))
        async throws
    {
        let program = try await OwnCodeProgram()
        let run = try await ProtectedRun.command(program.path, [test.way])
        #expect(run.output.hasPrefix("refused"))
        let evidence = try #require(run.detections.first?.evidence.first)
        #expect(evidence.kind == .writtenImagePage)
        #expect(evidence.detail.contains(test.detail), "\(evidence.detail)")
    }

    @Test func `copy of an image in its place that differs is told`() async throws {
        let program = try await OwnCodeProgram()
        let run = try await ProtectedRun.command(program.path, ["copied-changed"])
        #expect(run.output.hasPrefix("refused"))
        #expect(run.detections.first?.evidence.first?.kind == .libraryCall)
    }

    @Test(.enabled(if: OwnCodeProgram.canPack, "needs upx-ucl"), arguments: ["", "child"])
    func `packed program works, and is reported as such`(_ second: String) async throws {
        let program = try await OwnCodeProgram.packed()
        let run = try await ProtectedRun.command(program.path, ["plain"] + (second.isEmpty ? [] : [second]))
        #expect(run.output == "connected\n")
        #expect(run.statistics.denied == 0)
        #expect(!run.detections.isEmpty)
        for detection in run.detections {
            #expect(detection.evidence.map(\.kind) == [.packedProgram])
            #expect(detection.evidence[0].detail.contains("own-code is packed"))
            #expect(detection.action == .watched)
        }
    }

    /// In the packed program itself, and in a child that continues with its memory.
    @Test(
        .enabled(if: OwnCodeProgram.canPack, "needs upx-ucl"), arguments: ["over-code", "data", "anonymous"], ["parent", "child"])
    func `other code in a packed program is told, wherever it lies`(_ way: String, _ process: String) async throws {
        let program = try await OwnCodeProgram.packed()
        let run = try await ProtectedRun.command(program.path, [way, process])
        #expect(run.output.hasPrefix("refused"))
        let kinds = run.detections.map { $0.evidence.first?.kind }
        #expect(kinds.first == .packedProgram, "the first call, as ever")
        #expect(kinds.last == .directCall)
        #expect(run.statistics.denied == 1)
    }

    @Test func `text relocations of programs and libraries are no change of code`() async throws {
        let run = try await work("textrel")
        #expect(run.output == "connected 20, 7\nconnected 20, 7\n")
        #expect(run.detections == [])
    }

    @Test(.enabled(if: access("/usr/bin/gdb", X_OK) == 0, "needs gdb")) func `breakpoints of a debugger are no change of code`()
        async throws
    {
        let run = try await work("gdb")
        #expect(run.output == "connected 20, 42\n")
        #expect(run.detections == [])
    }

    @Test(.enabled(if: OwnCodeProgram.canPack, "needs upx-ucl")) func `packed programs run others`() async throws {
        let run = try await work("upx")
        #expect(run.output == "connected 100\nchild\nconnected 100\nchild\n")
        #expect(run.statistics.denied == 0)
        #expect(run.detections.allSatisfy { $0.evidence.map(\.kind) == [.packedProgram] })
    }

    /// Runs one of the workloads, with the compiler that built the tests.
    private func work(_ name: String) async throws -> ProtectedRun {
        let folder = try TemporaryFolder()
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        return try await ProtectedRun.command(
            "/usr/bin/env", ["PATH=\(path)", "/bin/bash", "\(PackageFolder.path)/Fixtures/Workloads/\(name).sh", folder.path])
    }
}

/// Probes of the kernel in programs (uprobes), as bpftrace and perf set them: on a file of the test's own.
@Suite(.serialized, .enabled(if: Probes.isPossible, "needs root, and a kernel with uprobes")) struct ProbedProgramTests {
    @Test(
        arguments: [
            ("p", "main", 0), ("p", "calling", 0), ("p", "calling", 4), ("p", "unused", 0), ("r", "calling", 0), ("p", "waiting", 0),
        ], [[], ["-static"]])
    func `probed program works as ever`(_ probe: (kind: String, symbol: String, distance: UInt64), _ options: [String]) async throws {
        let program = try await OwnCodeProgram(options)
        let offset = try #require(try await program.fileOffset(of: probe.symbol)) + probe.distance
        let probes = try Probes()
        try probes.set(probe.kind, program.path, at: offset)
        let run = try await ProtectedRun.command(program.path, ["plain"])
        #expect(run.output == "connected\n")
        #expect(run.detections == [])
        #expect(run.notices == [])
    }

    @Test func `probed program whose code was changed is told`() async throws {
        let program = try await OwnCodeProgram()
        let offset = try #require(try await program.fileOffset(of: "calling"))
        let probes = try Probes()
        try probes.set("p", program.path, at: offset)
        let run = try await ProtectedRun.command(program.path, ["over-code"])
        #expect(run.output.hasPrefix("refused"))
        #expect(run.detections.first?.evidence.first?.kind == .writtenImagePage)
        #expect(run.detections.first?.evidence.first?.detail.contains("a breakpoint") == true)
    }
}

/// Probes in a trace file system mounted for as long as the value lives.
private final class Probes {
    static let isPossible = geteuid() == 0 && access("/sys/kernel/tracing", F_OK) == 0

    private let folder: TemporaryFolder
    private let group: String

    init() throws {
        folder = try TemporaryFolder()
        group = "epitope_test_\(getpid())"
        try #require(mount("nodev", folder.path, "tracefs", 0, nil) == 0, "tracefs can't be mounted: errno \(errno)")
    }

    func set(_ kind: String, _ path: String, at offset: UInt64) throws {
        try write("\(kind):\(group)/probe \(path):0x\(String(offset, radix: 16))\n", to: "uprobe_events")
        try write("1", to: "events/\(group)/probe/enable")
    }

    private func write(_ text: String, to name: String) throws {
        let file = open("\(folder.path)/\(name)", O_WRONLY | O_APPEND)
        defer { close(file) }
        try #require(Glibc.write(file, text, text.utf8.count) == text.utf8.count, "\(name): errno \(errno)")
    }

    deinit {
        try? write("0", to: "events/\(group)/probe/enable")
        try? write("-:\(group)/probe\n", to: "uprobe_events")
        umount2(folder.path, Int32(MNT_DETACH))
    }
}
