// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import CSeccomp
import EpitopeModel
import Foundation
import TestSupport
import Testing

@testable import SeccompBackend

/// The agent's conversation with a runtime, which is the test: it starts a program under the filter and hands its
/// notifications over.
@Suite(.enabled(if: geteuid() == 0, "the agent takes containers from root alone: run the tests as root"), .serialized)
struct SeccompAgentTests {
    let folder: TemporaryFolder
    let agent: SeccompAgent
    var path: String { folder.path + "/agent.sock" }

    init() throws {
        folder = try TemporaryFolder()
        agent = try SeccompAgent(.init(path: folder.path + "/agent.sock"))
    }

    private static func state(of process: Int32, id: String = "one") -> String {
        #"{"ociVersion":"1.0.2","fds":["seccompFd"],"pid":\#(process),"metadata":"","state":{"id":"\#(id)"}}"#
    }

    private func notice(_ what: String, of other: SeccompAgent? = nil) async throws -> SeccompAgent.Notice {
        for await notice in (other ?? agent).notices { return notice }
        throw NeverCame(what: what)
    }

    /// A program of the fixtures, held before its first instruction.
    private func started(_ arguments: [String], _ output: Output) throws -> (child: epitope_child, command: ProtectedCommand) {
        let command = ProtectedCommand(
            Fixtures.path("call-stub"), arguments, environment: Fixtures.environment, standardOutput: output.descriptor)
        return (try Launcher.start(command), command)
    }

    @Test func `a process that is handed over is supervised to its end`() async throws {
        let receiver = Receiver(datagrams: true)
        let output = Output()
        var (child, command) = try started(["direct", "anonymous", "send", "\(receiver.port)"], output)
        let connection = try Connection(path)
        // In two pieces, and left open, as runc does.
        let message = Array(Self.state(of: child.pid).utf8)
        #expect(connection.send(Array(message[..<20]), descriptors: [child.listener]))
        // Not a task's sleep: beside many tests that lasts as long as the agent waits for a message.
        usleep(50_000)
        #expect(connection.send(Array(message[20...])))
        close(child.listener)
        try Launcher.finish(&child, command)
        #expect(epitope_wait(child.pid) == 0)

        let announced = Announcement(output.text)
        #expect(announced.errno == EPERM)
        #expect(receiver.arrivals(datagrams: true) == 0)
        try await eventually("its supervisor has ended") { agent.statistics.supervised == 0 }
        let statistics = agent.statistics
        #expect(statistics.accepted == 1 && statistics.rejected == 0 && statistics.calls.denied == 1)
        agent.stop()
        var calls: [Detection] = []
        for await detection in agent.detections { calls.append(detection) }
        let detection = try #require(calls.first)
        #expect(calls.count == 1)
        #expect(detection.callersAddress == announced.callersAddress)
        #expect(detection.process.processID == child.pid && detection.process.containerID == "one")
        #expect(agent.hasReported(detection))
        var other = detection
        other.process.threadID += 1
        #expect(!agent.hasReported(other))
    }

    @Test func `what is no handover is turned away without harm to others`() async throws {
        let receiver = Receiver(datagrams: true)
        let output = Output()
        // One that is well, and goes on through all of it.
        var (child, command) = try started(["repeat", "200000", "\(receiver.port)"], output)
        let good = try Connection(path)
        #expect(good.send(Array(Self.state(of: child.pid).utf8), descriptors: [child.listener]))
        close(child.listener)
        try Launcher.finish(&child, command)

        let ends = [Int32](unsafeUninitializedCapacity: 2) { room, count in
            pipe(room.baseAddress)
            count = 2
        }
        defer { for end in ends { close(end) } }
        let well = Array(Self.state(of: 7).utf8)
        for (bytes, descriptors) in [
            (Array("GET / HTTP/1.0\r\n\r\n".utf8), []), (well, []), (well, [ends[0]]), (well, [ends[0], ends[1]]),
            (Array("{}".utf8), []), ([UInt8](repeating: UInt8(ascii: "{"), count: 2 << 20), []),
            (well, [Int32](repeating: ends[0], count: 40)),
        ] {
            let connection = try Connection(path)
            _ = connection.send(bytes, descriptors: descriptors)
            guard case .rejected(let error) = try await notice("a refusal") else { throw NeverCame(what: "a refusal") }
            #expect(error.code == .containerStateMalformed)
        }
        // Left without a word: as runtimes do when a container can't be made.
        _ = try Connection(path)
        try await eventually("the silent one is forgotten") { agent.statistics.rejected == 7 }
        #expect(agent.statistics.supervised == 1, "the well one still is")
        kill(child.pid, SIGKILL)
        #expect(epitope_wait(child.pid) == 256 + SIGKILL)
        try await eventually("its supervisor has ended") { agent.statistics.supervised == 0 }
        #expect(receiver.arrivals(datagrams: true) == 0)
        #expect(agent.statistics.calls.denied > 0)
    }

    @Test func `when it is full further processes cannot start`() async throws {
        let path = folder.path + "/small.sock"
        let small = try SeccompAgent(.init(path: path, maxProcesses: 3))
        let waiting = try (0..<3).map { _ in try Connection(path) }
        // Accepted in the order in which they connected: once this one is turned away the three were taken.
        let output = Output()
        var (child, command) = try started(["bench", "1", "9"], output)
        let late = try Connection(path)
        _ = late.send(Array(Self.state(of: child.pid).utf8), descriptors: [child.listener])
        close(child.listener)
        guard case .rejected(let error) = try await notice("a refusal", of: small) else { throw NeverCame(what: "a refusal") }
        #expect(error.code == .containersFull)
        do throws(EpitopeError) {
            try Launcher.finish(&child, command)
            Issue.record("it runs")
        } catch {
            #expect(error.code == .commandNotExecutable)
        }
        #expect(output.text.isEmpty)
        withExtendedLifetime(waiting) {}
    }

    @Test func `users other than root are turned away`() async throws {
        // Somebody opened the socket up: the peer is still checked.
        chmod(folder.path, 0o755)
        chmod(path, 0o666)
        let other = try await FinishedCommand.run(
            "/usr/bin/setpriv",
            [
                "--reuid=65534", "--clear-groups", "/usr/bin/python3", "-c",
                "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); print('connected')", path,
            ])
        #expect(other.output == "connected\n", "\(other.errors)")
        guard case .rejected(let error) = try await notice("a refusal") else { throw NeverCame(what: "a refusal") }
        #expect(error.code == .containerPeerRefused)
        #expect(error.message.contains("of user 65534"))
    }

    @Test func `another policy holds from the next call on`() async throws {
        let receiver = Receiver(datagrams: true)
        agent.set(Policy(action: .watch))
        let output = Output()
        var (child, command) = try started(["direct", "anonymous", "send", "\(receiver.port)"], output)
        let connection = try Connection(path)
        #expect(connection.send(Array(Self.state(of: child.pid).utf8), descriptors: [child.listener]))
        close(child.listener)
        try Launcher.finish(&child, command)
        #expect(epitope_wait(child.pid) == 0)
        #expect(receiver.arrivals(datagrams: true) == 1)
        for await detection in agent.detections {
            #expect(detection.action == .watched && agent.hasReported(detection))
            break
        }
    }
}
