// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import FileAccess
import Foundation
import Glibc
import ProcessInspection
import SeccompBackend
import TestSupport
import Testing

/// Code of a program's own in memory that the kernel calls written, or anonymous: what equals a file is that file, and what
/// a packed program unpacked is its own. Changes that look alike, and are somebody else's, are still told.
@Suite struct OwnCodeTests {
    @Test(arguments: ["plain", "breakpoint", "restored", "copied", "traced"])
    func `page that is explained is an image`(_ way: String) async throws {
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
        #expect(run.output == String(repeating: "connected 20, 7\n", count: 3))
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
@Suite(.serialized, .enabled(if: KernelProbes.isPossible, "needs root, and a kernel with uprobes")) struct ProbedProgramTests {
    @Test(
        arguments: [
            ("p", "main", 0), ("p", "calling", 0), ("p", "calling", 4), ("p", "unused", 0), ("r", "calling", 0), ("p", "waiting", 0),
        ], [[], ["-static"]])
    func `probed program works as ever`(_ probe: (kind: String, symbol: String, distance: UInt64), _ options: [String]) async throws {
        let program = try await OwnCodeProgram(options)
        let offset = try #require(try await program.fileOffset(of: probe.symbol)) + probe.distance
        let probes = try KernelProbes()
        try probes.set(probe.kind, program.path, at: offset)
        let run = try await ProtectedRun.command(program.path, ["plain"])
        #expect(run.output == "connected\n")
        #expect(run.detections == [])
        #expect(run.notices == [])
    }

    @Test func `probed program whose code was changed is told`() async throws {
        let program = try await OwnCodeProgram()
        let offset = try #require(try await program.fileOffset(of: "calling"))
        let probes = try KernelProbes()
        try probes.set("p", program.path, at: offset)
        let run = try await ProtectedRun.command(program.path, ["over-code"])
        #expect(run.output.hasPrefix("refused"))
        #expect(run.detections.first?.evidence.first?.kind == .writtenImagePage)
        #expect(run.detections.first?.evidence.first?.detail.contains("a breakpoint") == true)
    }
}

/// Return probes (uretprobes): the kernel's trampoline stands in the place of a return address, which only the kernel knows. On
/// a copy of the C library, which nobody else uses.
@Suite(.serialized, .enabled(if: KernelProbes.isPossible, "needs root, and a kernel with uprobes")) struct ReturnProbeTests {
    @Test(arguments: ["connect", "socket"]) func `program that connects while returns are probed works as ever`(_ function: String)
        async throws
    {
        let (program, library) = (try await OwnCodeProgram(), try LibraryCopy())
        let probes = try KernelProbes()
        try probes.set("r", library.path, at: try library.fileOffset(of: function))
        let run = try await library.run([program.path, "plain"])
        #expect(run.output == "connected\n")
        #expect(run.detections == [])
    }

    @Test(arguments: ["execve", "vfork", "posix_spawn", "system"]) func `programs that start others while returns are probed do so`(
        _ function: String
    ) async throws {
        let library = try LibraryCopy()
        let probes = try KernelProbes()
        try probes.set("r", library.path, at: try library.fileOffset(of: function))
        let script =
            "import os, subprocess; os.system('echo shell'); subprocess.run(['echo', 'child']); os.execlp('echo', 'echo', 'itself')"
        let run = try await library.run(["python3", "-c", script])
        #expect(run.output == "shell\nchild\nitself\n")
        #expect(run.detections == [])
    }

    /// Nothing tells who calls. It isn't silence, and no denial of ordinary work.
    @Test(arguments: ["call", "jump"]) func `call of unbacked code whose return is probed is reported`(_ way: String) async throws {
        let library = try LibraryCopy()
        let probes = try KernelProbes()
        try probes.set("r", library.path, at: try library.fileOffset(of: "connect"))
        let receiver = Receiver(datagrams: false)
        let run = try await library.run([Fixtures.path("return-stub"), way, "connect", String(receiver.port)])
        let detection = try #require(run.detections.first, "\(run.output)")
        #expect(detection.evidence.first?.kind == .uncheckedReturn)
        #expect(detection.evidence.first?.detail.contains("a return probe hides") == true, "\(detection.evidence)")
        #expect(detection.action == .watched)
    }

    @Test func `return address that is nearly a probes is none`() {
        var entry = MapEntry(
            start: 0x7000, end: 0x8000, protection: [.read, .execute], offset: 0, device: .init(major: 0, minor: 0), inode: 0,
            name: "[uprobes]")
        #expect(entry.isReturnProbe(0x7000))
        #expect(!entry.isReturnProbe(0x7001))
        entry.name = "[anon:uprobes]"
        #expect(!entry.isReturnProbe(0x7000))
        (entry.name, entry.inode) = ("[uprobes]", 7)
        #expect(!entry.isReturnProbe(0x7000))
    }
}

/// A copy of this process's C library, for as long as the value lives.
private final class LibraryCopy {
    let path: String
    private let folder: TemporaryFolder
    private let original: MapEntry

    init() throws {
        let maps = MapEntry.entries(inMaps: try #require(ProcFS.text("/proc/self/maps", maxBytes: 1 << 20)))
        original = try #require(maps.first { $0.name.hasSuffix("/libc.so.6") && $0.offset == 0 })
        folder = try TemporaryFolder()
        path = "\(folder.path)/libc.so.6"
        try FileManager.default.copyItem(atPath: URL(fileURLWithPath: original.name).resolvingSymlinksInPath().path, toPath: path)
    }

    func fileOffset(of function: String) throws -> UInt64 {
        let address = UInt64(UInt(bitPattern: try #require(dlsym(nil, function))))
        let maps = MapEntry.entries(inMaps: try #require(ProcFS.text("/proc/self/maps", maxBytes: 1 << 20)))
        let code = try #require(maps.first { $0.contains(address) && $0.inode == original.inode })
        return address - code.start + code.offset
    }

    /// Runs a program with the copy.
    func run(_ command: [String]) async throws -> ProtectedRun {
        try await ProtectedRun.command("/usr/bin/env", ["PATH=/usr/bin:/bin", "LD_LIBRARY_PATH=\(folder.path)"] + command)
    }
}
