// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Glibc
import SeccompBackend
import TestSupport
import Testing

@Suite struct CommandTests {
    @Test(arguments: [
        ("no-such-command-anywhere", EpitopeError.Code.commandNotFound), ("", .commandNotFound),
        ("/no/such/file", .commandNotFound), ("/etc", .commandNotExecutable), ("/etc/passwd", .commandNotExecutable),
    ]) func `command that cannot run says why`(name: String, code: EpitopeError.Code) {
        let error = #expect(throws: EpitopeError.self) { _ = try SeccompBackend.launch(Command(name)) }
        #expect(error?.code == code)
    }

    @Test func `second supervisor over one tree is refused`() async throws {
        let run = try await ProtectedRun.command(
            "/bin/sh", ["-c", "\(Fixtures.path("protect")) /bin/true 2>&1; echo code $?"])
        #expect(run.output.contains("[seccomp-busy]"))
        #expect(run.output.contains("code 96"))
    }

    @Test(arguments: [("exit 0", 0), ("exit 7", 7), ("kill -TERM $$", 143), ("kill -KILL $$", 137)] as [(String, Int32)])
    func `end of the command is passed on`(script: String, code: Int32) async throws {
        let run = try await ProtectedRun.command("sh", ["-c", script])
        #expect(run.status.shellCode == code)
        #expect(run.detections == [])
    }

    /// It makes the supervisor its tracer, which hears of its stops: they are no ends.
    @Test func `command that has itself traced ends when it ends`() async throws {
        let run = try await ProtectedRun.fixture("reach-stub", ["traced"])
        #expect(run.status == .signalled(SIGKILL))
    }

    @Test func `arguments and environment reach the command`() async throws {
        let run = try await ProtectedRun.command("sh", ["-c", "echo \"$1|$0|$SWIFT_BACKTRACE\"", "zero", "a  b"])
        #expect(run.output == "a  b|zero|enable=no\n")
    }

    @Test func `without roots rights calls are blocked too`() async throws {
        guard getuid() == 0 else { return try await blocksBothForms(through: []) }
        try await blocksBothForms(
            through: ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"])
    }

    /// Runs the stub under `protect`, in a process of its own with other rights.
    private func blocksBothForms(through prefix: [String]) async throws {
        for form in ["direct", "library"] {
            let receiver = Receiver(datagrams: true)
            let output = Output()
            let command =
                prefix + [
                    Fixtures.path("protect"), Fixtures.path("call-stub"), form, "heap", "send", String(receiver.port),
                ]
            #expect(try spawnAndWait(command, output: output.descriptor) == 0)
            #expect(Announcement(output.text).errno == EPERM, "output: \(output.text)")
            #expect(output.text.contains("blocked sendto"))
            #expect(receiver.arrivals(datagrams: true) == 0)
        }
    }

    @Test func `thirty two bit program is protected`() async throws {
        let program = try await Program32Bit()
        let run = try await ProtectedRun.command(program.path, [])
        guard run.status != .signalled(SIGSEGV) else {
            print("left out: this kernel doesn't run 32-bit programs")
            return
        }
        #expect(run.status == .exited(4))
        #expect(run.detections.map { $0.callersAddress - $0.region.start } == Program32Bit.callers.map(\.offset))
        #expect(run.detections.map(\.evidence.first?.kind) == Program32Bit.callers.map(\.kind))
        for detection in run.detections {
            #expect(detection.call == .connect && detection.action == .blocked && detection.architecture == .x86_32)
            #expect(detection.arguments.peer == SocketEndpoint(address: "127.0.0.1", port: 9))
        }
    }

    private func spawnAndWait(_ arguments: [String], output: Int32) throws -> Int32 {
        var pid = pid_t()
        var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, output, 2)
        try #require(posix_spawn(&pid, arguments[0], &actions, nil, &pointers, environ) == 0)
        var status: Int32 = 0
        waitpid(pid, &status, 0)
        return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
    }
}
