// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import GRDB
import PacketCoding
import TestSupport
import Testing

/// Containers under `epitope agent`, by the command line: the profile printed, the container started by a real runtime, the
/// packet in the spool.
@Suite(.serialized) struct ContainerTests {
    typealias Runtime = ContainerRuntime
    private static let image = "registry.example/shop/web:1.4"
    private static let annotations = [
        "io.kubernetes.cri.image-name": image, "io.kubernetes.cri.container-name": "web",
        "io.kubernetes.cri.sandbox-name": "web-7d4", "io.kubernetes.cri.sandbox-namespace": "shop",
        "io.kubernetes.cri.sandbox-uid": "1f04600d-c695-4359-a68e-ee5fe7c40697",
    ]

    private let folder: TemporaryFolder
    private var socket: String { folder.path + "/agent/seccomp.sock" }
    private var state: String { folder.path + "/host" }

    init() throws { folder = try TemporaryFolder() }

    private static func needs(_ runtime: Runtime) throws {
        guard let missing = runtime.missing else { return }
        // Of a test with several arguments the log doesn't say why one was left out.
        print("not tested with \(runtime): \(missing)")
        try Test.cancel("\(missing)")
    }

    /// The agent, once runtimes can connect.
    private func agent(
        _ options: [String], of manager: StandInManager? = nil, fileID: String = #fileID, line: Int = #line
    ) async throws -> RunningProcess {
        let words = try [Command.built("epitope-agent"), "--state", state, "--seccomp-listener", socket] + options
        let agent = try manager?.start(words) ?? RunningProcess(words)
        try await eventually("the agent listens", seconds: 60, fileID: fileID, line: line) {
            if agent.hasEnded { throw NeverCame(what: "the agent: \(agent.errors)", fileID: fileID, line: line) }
            return FileManager.default.fileExists(atPath: socket) && agent.errors.contains("protecting")
        }
        return agent
    }

    private func profile(_ more: [String] = []) async throws -> String {
        let printed = try await Command.run(
            Command.built("epitope-agent"), ["--print-seccomp-profile", "--seccomp-listener", socket] + more)
        try #require(printed.status == 0, "\(printed.errors)")
        return printed.output
    }

    /// The packets that wait for a center.
    private func packets() throws -> [ExtractedPacket] {
        let database = try DatabaseQueue(path: state + "/host.sqlite")
        let encoded = try database.read { try Data.fetchAll($0, sql: "SELECT encoded FROM spool ORDER BY sequence") }
        return try encoded.map { try ExtractedPacket(encoded: Array($0)) }
    }

    private func expect(
        _ packet: ExtractedPacket, _ run: Command, _ bundle: ContainerBundle, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let announced = Announcement(run.output)
        #expect(packet.callersAddress == announced.callersAddress, sourceLocation: sourceLocation)
        if case .code(let code) = packet.content {
            #expect(code.bytes.starts(with: announced.code), sourceLocation: sourceLocation)
        } else {
            Issue.record("the packet carries no code", sourceLocation: sourceLocation)
        }
        let process = packet.parameters.process
        #expect(process.containerID == bundle.id, sourceLocation: sourceLocation)
        #expect(
            process.container
                == ContainerParameters(
                    name: "web", image: Self.image,
                    pod: .init(uid: Self.annotations["io.kubernetes.cri.sandbox-uid"], name: "web-7d4", namespace: "shop")),
            sourceLocation: sourceLocation)
        #expect(process.executable?.path == "/bin/call-stub" && process.executable?.sha256 != nil, sourceLocation: sourceLocation)
        #expect(process.userName == "root", "by the container's own passwd file", sourceLocation: sourceLocation)
    }

    @Test(arguments: Runtime.own) func `an attack in a container becomes a packet that names it`(_ runtime: Runtime) async throws {
        try Self.needs(runtime)
        let agent = try await agent(["--containers-only"])
        let bundle = try ContainerBundle(programs: ["call-stub"])
        try bundle.configure(
            ["call-stub", "direct", "anonymous", "send", "9555"], seccomp: await profile(runtime == .crun ? ["--wait-killable"] : []),
            annotations: Self.annotations)
        let run = try await bundle.run(runtime)
        #expect(Announcement(run.output).errno == EPERM, "\(run.output)\(run.errors)")
        try await agent.end()
        let packets = try packets()
        #expect(packets.count == 1)
        try expect(#require(packets.first), run, bundle)
        #expect(packets.first?.action == .blocked)

        // What people see.
        let encoded = folder.path + "/packet"
        try Data(#require(packets.first).encoded()).write(to: URL(fileURLWithPath: encoded))
        let shown = try await epitope(["packet", "show", encoded])
        for text in [bundle.id, Self.image, "\"namespace\" : \"shop\""] { #expect(shown.output.contains(text), "\(shown.output)") }
        #expect(try folder.read("host/events.jsonl").contains("\"container\":\"\(bundle.id)\""))
        #expect(!FileManager.default.fileExists(atPath: socket), "the socket is gone with the agent")
        let late = try await bundle.run(runtime)
        #expect(late.status != 0, "without the agent it doesn't start")
    }

    /// As `systemctl restart` ends the agent, and as a crash does: what a container calls meanwhile waits for the next one.
    @Test(arguments: Runtime.own, [SIGUSR1, SIGKILL]) func `a container outlives its agent`(_ runtime: Runtime, _ ending: Int32)
        async throws
    {
        try Self.needs(runtime)
        let manager = try StandInManager()
        let options = ["--containers-only", "--packets-per-day", "100"]
        let first = try await agent(options, of: manager)
        let bundle = try ContainerBundle(programs: ["call-stub"])
        // Each turn of the loop makes critical calls: an exec, a send.
        try bundle.configure(
            [
                "sh", "-c",
                """
                call-stub direct anonymous send 9555
                echo begun
                while [ ! -e /tmp/enough ]; do call-stub bench 1 9 >/dev/null || exit 9; echo turn; usleep 10000; done
                call-stub direct anonymous send 9556
                """,
            ], seccomp: await profile(), annotations: Self.annotations)
        let container = try RunningProcess(bundle.words(runtime))
        try await container.line(with: "begun")
        try await container.line(with: "turn")
        #expect(manager.names.count == 1, "one process of a container")
        try await eventually("the first attack is stored") { try self.packets().count == 1 }
        try await first.end(ending)
        try await Task.sleep(for: .milliseconds(300))
        let turns = container.output.count { $0 == "\n" }
        try await stays("the container waits") { container.output.count { $0 == "\n" } == turns && !container.hasEnded }

        let second = try await agent(options, of: manager)
        try await eventually("the container goes on") { container.output.count { $0 == "\n" } > turns + 3 }
        #expect(FileManager.default.createFile(atPath: bundle.path + "/rootfs/tmp/enough", contents: nil))
        try await eventually("the container has ended") { container.hasEnded }
        #expect(container.status == 0, "no call failed: \(container.errors) \(second.errors)")
        try await eventually("nothing is kept any more") { manager.names.isEmpty }
        try await second.end()
        let attacks = container.output.components(separatedBy: "expected ").dropFirst().map { Announcement("expected " + $0) }
        #expect(attacks.map(\.errno) == [EPERM, EPERM], "\(container.output)")
        let packets = try packets()
        #expect(packets.map(\.callersAddress) == attacks.compactMap(\.callersAddress))
        // By the runtime's word to the first agent.
        #expect(
            packets.allSatisfy { $0.parameters.process.containerID == bundle.id && $0.parameters.process.container?.image == Self.image })
    }

    /// A call that the seccomp agent lets through, reported, goes on into the kernel: the eBPF program sees it, too.
    @Test func `before both backends a call is reported once`() async throws {
        try Self.needs(.runc)
        guard access("/sys/kernel/btf/vmlinux", R_OK) == 0 else {
            try Test.cancel("the eBPF program needs a kernel with type information (/sys/kernel/btf/vmlinux)")
        }
        let agent = try await agent(["--level", "tracepoints", "--packets-per-day", "100", "--duplicate-when", "both"])
        let bundle = try ContainerBundle(programs: ["call-stub"])
        try bundle.configure(
            [
                "sh", "-c",
                "call-stub direct memory-file send 9555; call-stub library memory-file send 9556; call-stub direct anonymous send 9557",
            ], seccomp: await profile(), annotations: Self.annotations)
        let run = try await bundle.run(.runc)
        #expect(run.output.contains("result 5 errno 0") && run.output.contains("errno 1"), "\(run.output)\(run.errors)")
        // The status is written every second; by then the kernel's reports are in, too.
        try await Task.sleep(for: .seconds(2))
        let status = try await epitope(["status", "--state", state])
        #expect(status.output.contains("containers-denied 1"), "\(status.output)")
        try await agent.end()
        // Others' attacks on this machine are the kernel backend's as well; and of a process that has gone when its event is read
        // the container isn't known. Where the code lay is drawn by lot in each process.
        let callers = Set(run.output.split(separator: "\n").compactMap { Announcement(String($0)).callersAddress })
        #expect(callers.count == 3)
        let blocked = try folder.read("host/events.jsonl").split(separator: "\n").filter { line in
            (line.contains("\"event\":\"blocked\"") || line.contains("\"event\":\"watched\""))
                && callers.contains { line.contains("\"callersAddress\":\"0x\(String($0, radix: 16))\"") }
        }
        #expect(blocked.count == 3, "\(blocked.joined(separator: "\n"))")
        #expect(blocked.count { $0.contains("\"action\":\"watched\"") } == 2)
        let ours = try packets().filter { callers.contains($0.callersAddress) }
        #expect(ours.map(\.parameters.process.containerID) == [bundle.id, bundle.id, bundle.id])
    }

    @Test func `the agent refuses options that do not fit together`() async throws {
        for (options, text) in [
            (["--containers-only"], "--seccomp-listener"), (["--into", "/x"], "--print-seccomp-profile"),
            (["--print-seccomp-profile", "--into", "/no/such/profile"], "seccomp-profile-unusable"),
            (["--print-seccomp-profile", "--into", "/usr"], "seccomp-profile-unusable"),
            (["--containers-only", "--seccomp-listener", "/tmp/x.sock", "--state", state], "socket-path-unsafe"),
        ] {
            let run = try await Command.run(Command.built("epitope-agent"), options)
            #expect(run.status != 0 && run.errors.contains(text), "\(options): \(run.errors)")
        }
    }
}
