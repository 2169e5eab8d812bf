// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import EpitopeStubs
import Foundation
import HostStore
import PacketCoding
import TestSupport
import Testing

/// The agent as a program. Tests run one after the other: each agent watches the whole machine.
@Suite(.serialized, .enabled(if: AgentFixture.canLoad, AgentFixture.why)) enum AgentTests {}

/// Folders for agents, with a bpffs of their own, in a mount namespace that ends with the test.
final class AgentFixture: Sendable {
    static let canLoad = geteuid() == 0 && access("/sys/kernel/btf/vmlinux", R_OK) == 0
    static let why: Comment = "needs root and a kernel with type information (/sys/kernel/btf/vmlinux)"

    let folder: TemporaryFolder
    private let namespace: Namespace

    init() async throws {
        folder = try TemporaryFolder()
        let mount = try folder.makeFolder("bpf")
        namespace = try await Namespace(["--mount"], setup: "mount -t bpf epitope-test \(mount)")
    }

    var state: String { folder.path + "/state" }
    var pins: String { folder.path + "/bpf/epitope" }

    /// The options of every agent of these tests. It only watches, so that a test affects no other process.
    private var options: [String] { ["--state", state, "--action", "watch", "--level", "tracepoints", "--packets-per-day", "100000"] }

    func words(_ more: [String] = [], pinned: Bool = true, before: [String] = []) throws -> [String] {
        namespace.inside(before + [try Command.built("epitope-agent")] + options + (pinned ? ["--pins", pins] : []) + more)
    }

    /// Starts an agent and waits until it protects.
    func agent(_ more: [String] = [], pinned: Bool = true, before: [String] = []) async throws -> RunningProcess {
        let agent = try RunningProcess(words(more, pinned: pinned, before: before))
        try await eventually("an agent that protects", seconds: 60) {
            if agent.hasEnded { throw NeverCame(what: "an agent that protects: it ended: \(agent.errors)") }
            return agent.errors.contains("protecting every process")
        }
        return agent
    }

    /// Runs an agent to its end.
    func run(_ more: [String] = [], pinned: Bool = true) async throws -> Command {
        let words = try words(more, pinned: pinned)
        return try await Command.run(words[0], Array(words.dropFirst()), seconds: 60)
    }

    func status() async throws -> Command {
        let words = namespace.inside([try Command.built("epitope"), "status", "--state", state, "--pins", pins])
        return try await Command.run(words[0], Array(words.dropFirst()), seconds: 60)
    }

    /// Runs a command in the agents' mount namespace.
    @discardableResult
    func shell(_ line: String) async throws -> Command { try await namespace.run(["/bin/sh", "-c", line]) }

    /// The names of the pins.
    func pinned() async throws -> [String] {
        try await shell("ls \(pins) 2>/dev/null || true").output.split(separator: "\n").map(String.init).sorted()
    }

    struct Event: Decodable {
        var event: String
        var processID: Int32?
        var package: String?
        var callersAddress: String?
        var packet: String?
        var of: String?
    }

    /// The agents' event log, in order.
    var events: [Event] {
        let data = FileManager.default.contents(atPath: "\(state)/events.jsonl") ?? Data()
        return data.split(separator: UInt8(ascii: "\n")).compactMap { try? JSONDecoder().decode(Event.self, from: $0) }
    }

    /// The callers' addresses that were reported of a process, in order.
    func reported(of process: pid_t) -> [String] {
        events.filter { ["blocked", "watched"].contains($0.event) && $0.processID == process }.compactMap(\.callersAddress)
    }

    /// The package of a process's program, in the packet's event or in one of its own.
    func package(of process: pid_t) -> String? { events.last { $0.processID == process && $0.package != nil }?.package }

    /// The packet of a process, from the spool.
    func packet(of process: pid_t) async throws -> ExtractedPacket {
        let store = try HostStore(directory: state)
        while let spooled = try await store.nextPacket(for: .local) {
            let packet = try ExtractedPacket(encoded: spooled.packet.bytes)
            if packet.parameters.process.processID == process { return packet }
            try await store.remove(spooled, nowMilliseconds: 0)
        }
        throw NeverCame(what: "a packet of process \(process)")
    }
}

/// A service of another user, run by a packaged program, that makes one call to loopback from anonymous memory.
struct PythonStub {
    static let program = "/usr/bin/python3"
    private static let script = """
        import ctypes, mmap, socket, sys, time
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        page = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(bytes.fromhex(sys.argv[1]))
        print("listening", listening.getsockname()[1], flush=True)
        result = ctypes.CFUNCTYPE(ctypes.c_long)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
        print("result", result, flush=True)
        time.sleep(60)
        """

    /// The command that runs it as the user nobody.
    static func words(_ program: String = program, port: UInt16) -> [String] {
        var code = [UInt8](repeating: 0, count: Int(EPITOPE_STUB_DATAGRAM_LENGTH))
        _ = epitope_stub_datagram(&code, 0x7F00_0001, port)
        return [
            "/usr/bin/setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "/usr/bin/env", "PYTHONHOME=/usr",
            program, "-c", script, Hex.encode(code),
        ]
    }
}
