// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Foundation
import KernelBackend
import KernelWatch
import Synchronization
import TestSupport
import Testing

/// Programs that have ended, or run another program, by the time that the agent looks at their calls.
@Suite(.serialized, .enabled(if: Kernel.canLoad, Kernel.why)) struct ShortLivedProgramTests {
    static let linking = [["-static"], ["-static-pie", "-fuse-ld=bfd"]]

    /// The reports of a program's calls, at which the agent looks once the program is over: its process has ended, or runs another.
    private func reports(_ words: [String], isOver: (RunningProcess) -> Bool = \.hasEnded) async throws -> [Detection] {
        let late = try await LateReader()
        let running = try RunningProcess(words)
        for _ in 0..<1000 where !isOver(running) { try await Task.sleep(for: .milliseconds(10)) }
        #expect(isOver(running), "\(running.output)\(running.errors)")
        let found = try await late.reports(of: running.identifier)
        running.send(SIGKILL)
        try await running.end()
        return found
    }

    private static func isSleeping(_ process: RunningProcess) -> Bool {
        (try? KernelFile.text("/proc/\(process.identifier)/comm")) == "sleep\n"
    }

    private func expect(_ found: [Detection], _ kind: EvidenceKind, by path: String, _ place: SourceLocation = #_sourceLocation) throws {
        let path = try #require(realpath(path, nil).map { String(cString: $0) })
        #expect(found.last?.evidence.first?.kind == kind, "\(found.map(\.evidence))", sourceLocation: place)
        #expect(found.allSatisfy { $0.process.executable?.path == path }, "\(found.map(\.process))", sourceLocation: place)
        #expect(found.allSatisfy { path.hasSuffix("/" + ($0.process.name ?? "")) }, "\(found.map(\.process))", sourceLocation: place)
    }

    @Test(.enabled(if: OwnCodeProgram.canPack, "needs upx-ucl"), arguments: linking)
    func `packed program that ends at once is told`(_ linking: [String]) async throws {
        let program = try await OwnCodeProgram.packed(linking: linking)
        let found = try await reports([program.path, "plain"])
        try expect(found, .packedProgram, by: program.path)
        #expect(found.allSatisfy { $0.evidence.map(\.kind) == [.packedProgram] }, "\(found.map(\.evidence))")
    }

    @Test(.enabled(if: OwnCodeProgram.canPack, "needs upx-ucl"), arguments: linking)
    func `packed program that runs another is told`(_ linking: [String]) async throws {
        let program = try await OwnCodeProgram.packed(linking: linking)
        let found = try await reports([program.path, "plain", "exec"], isOver: Self.isSleeping)
        try expect(found, .packedProgram, by: program.path)
        #expect(found.contains { $0.call == .execve })
        #expect(found.allSatisfy { $0.evidence.map(\.kind) == [.packedProgram] }, "\(found.map(\.evidence))")
    }

    /// Outside of what the program's file reserves, and where such code stands behind the program's own.
    @Test(.enabled(if: OwnCodeProgram.canPack, "needs upx-ucl"), arguments: ["anonymous", "behind"])
    func `other code in a packed program that ended is told`(_ way: String) async throws {
        let program = try await OwnCodeProgram.packed()
        try expect(try await reports([program.path, way]), .directCall, by: program.path)
    }

    /// A file that was changed meanwhile, even if only by another right, proves nothing.
    @Test(.enabled(if: OwnCodeProgram.canPack, "needs upx-ucl")) func `packed program whose file was changed is not explained`()
        async throws
    {
        let program = try await OwnCodeProgram.packed()
        let late = try await LateReader()
        let run = try await Command.run(program.path, ["plain"])
        #expect(chmod(program.path, 0o700) == 0)
        try expect(try await late.reports(of: run.processID), .directCall, by: program.path)
    }

    /// Its data lies among the addresses that its file reserves, too: only a packed file's count.
    @Test(arguments: [[], ["-static"]]) func `code in an ordinary program's data is told when it ended`(_ linking: [String]) async throws {
        let program = try await OwnCodeProgram(linking)
        try expect(try await reports([program.path, "data"]), .directCall, by: program.path)
    }

    /// Whose code the copy of the kernel program's is compared with: the program's own, or a library's; with text relocations or without.
    enum Kind: CaseIterable {
        case program, relocated, library, relocatedLibrary

        func program() async throws -> OwnCodeProgram {
            switch self {
            case .program: try await OwnCodeProgram()
            case .relocated: try await OwnCodeProgram.relocated()
            case .library: try await OwnCodeProgram(asLibrary: "libown.so", isRelocated: false)
            case .relocatedLibrary: try await OwnCodeProgram(asLibrary: "libown.so", isRelocated: true)
            }
        }
    }

    @Test(arguments: Kind.allCases) func `written page that is explained is an image when its program ended`(_ kind: Kind) async throws {
        let program = try await kind.program()
        for way in ["plain", "breakpoint", "restored"] {
            let found = try await reports([program.path, way])
            #expect(found.isEmpty, "\(way): \(found.map(\.evidence))")
        }
    }

    @Test func `written page that is explained is an image when its process runs another program`() async throws {
        let program = try await OwnCodeProgram.relocated()
        let found = try await reports([program.path, "breakpoint", "exec"], isOver: Self.isSleeping)
        #expect(found.isEmpty, "\(found.map(\.evidence))")
    }

    @Test(arguments: Kind.allCases) func `written page that is not explained is told when its program ended`(_ kind: Kind) async throws {
        let program = try await kind.program()
        for way in ["over-code", "code", "adjacent", "writable"] {
            try expect(try await reports([program.path, way]), .writtenImagePage, by: program.path)
        }
    }

    @Test func `page of a file that was changed meanwhile is not explained`() async throws {
        let program = try await OwnCodeProgram()
        let late = try await LateReader()
        let run = try await Command.run(program.path, ["breakpoint"])
        #expect(chmod(program.path, 0o700) == 0)
        try expect(try await late.reports(of: run.processID), .writtenImagePage, by: program.path)
    }

    /// The page that the library returns to, or another one of its mapping, was written over: what of both the kernel copied can be
    /// made a packet of.
    @Test(
        arguments: [
            ("planted", .writtenImagePage), ("planted-beside", .impossibleReturn), ("planted-library", .impossibleReturn),
        ] as [(String, EvidenceKind)])
    func `impossible return address has its code when its program ended`(_ test: (way: String, kind: EvidenceKind)) async throws {
        let program = try await OwnCodeProgram()
        let found = try await reports([program.path, test.way])
        try expect(found, test.kind, by: program.path)
        let call = try #require(found.last)
        #expect(call.code.offset(of: call.callersAddress) != nil, "\(call.code.base) \(call.callersAddress)")
        #expect(call.region.contains(call.callersAddress))
    }

    @Test func `event names the program that called, and not the one that runs since`() async throws {
        let program = try await OwnCodeProgram()
        try expect(try await reports([program.path, "anonymous", "exec"], isOver: Self.isSleeping), .directCall, by: program.path)
    }
}

/// A backend of its own that looks at no event before it is told to.
private final class LateReader: Sendable {
    private let backend: KernelBackend
    private let context = HeldContext()
    private let found = Mutex<[Detection]>([])

    init() async throws {
        backend = try await KernelBackend.another(Policy(action: .watch), context: context)
        Task { [backend, weak self] in
            for await report in backend.reports {
                self?.found.withLock { $0.append(report.detection) }
                report.acknowledge()
            }
        }
        // Its reader waits for what is said of this one, and reads nothing else meanwhile.
        context.isHeld.withLock { $0 = true }
        _ = try await Fixtures.run("call-stub", ["direct", "anonymous", "send", "9"])
        for _ in 0..<1000 where !context.isAsked.withLock({ $0 }) { try await Task.sleep(for: .milliseconds(10)) }
        #expect(context.isAsked.withLock { $0 })
    }

    deinit {
        context.isHeld.withLock { $0 = false }
        backend.stop()
    }

    /// Looks at what was reported meanwhile. The reports of a process.
    func reports(of process: Int32) async throws -> [Detection] {
        context.isHeld.withLock { $0 = false }
        // Reports come in the order of the calls.
        let mark = try await Fixtures.run("call-stub", ["direct", "anonymous", "send", "9"])
        for _ in 0..<1000 where !found.withLock({ $0.contains { $0.process.processID == mark.processID } }) {
            try await Task.sleep(for: .milliseconds(10))
        }
        return found.withLock { $0.filter { $0.process.processID == process } }
    }
}

/// Describes processes by their names, as late as it is told to.
private final class HeldContext: ProcessContextProviding {
    let isHeld = Mutex(false)
    let isAsked = Mutex(false)

    func context(ofProcess processID: Int32, thread threadID: Int32, in container: ContainerReference?) -> ProcessParameters {
        wait()
        let name = try? KernelFile.text("/proc/\(processID)/comm")
        return ProcessParameters(processID: processID, threadID: threadID, name: name.map { String($0.dropLast()) })
    }

    func context(of process: ProcessParameters, atCall program: ProgramAtCall) -> ProcessParameters {
        wait()
        return program.described(process)
    }

    private func wait() {
        isAsked.withLock { $0 = true }
        while isHeld.withLock({ $0 }) { usleep(1000) }
    }
}
