// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import EpitopeModel
import Foundation
import ProcessInspection
import TestSupport
import Testing

@testable import SeccompBackend

/// Calls of a command that reach into other processes: its own, and those outside of it.
@Suite struct IntrusionTests {
    /// A way by which a process can be reached into, and the call that it is.
    struct Way: Sendable, CustomStringConvertible {
        var name: String
        var call: String
        var description: String { name }
    }

    static let ways =
        [("attach", "ptrace"), ("seize", "ptrace"), ("write", "process_vm_writev"), ("descriptor", "pidfd_getfd")]
        .map { Way(name: $0.0, call: $0.1) }
        + ["open", "creat", "task", "beneath", "openat2", "relative"].map { Way(name: $0, call: "open") }
    /// As root, and as a user without rights.
    static let users = getuid() == 0 ? ["root", "nobody"] : ["oneself"]

    private static func words(_ user: String, _ more: [String]) -> [String] {
        let prefix = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]
        return (user == "nobody" ? prefix : []) + more
    }

    /// Runs the stub under `protect`, in a process of its own, with another process of the same user beside it.
    private func run(
        _ user: String, _ form: String, _ way: String, into target: String, _ options: [String] = []
    ) async throws -> (errno: Int32?, run: FinishedCommand) {
        let outsider = try RunningProcess(Self.words(user, ["/bin/sleep", "1000"]))
        // setpriv executes it in its own place.
        try await eventually("the process outside") {
            (try? KernelFile.text("/proc/\(outsider.identifier)/comm")) == "sleep\n"
        }
        let words = Self.words(
            user,
            [Fixtures.path("protect"), "--guard"] + options + [
                Fixtures.path("reach-stub"), form, way, target == "outside" ? "\(outsider.identifier)" : target,
            ])
        let run = try await FinishedCommand.run(words[0], Array(words.dropFirst()))
        return (Announcement(run.output).errno.map { Int32($0) }, run)
    }

    @Test(arguments: users, ways) func `an image's call into a process outside of the command is denied`(
        _ user: String, _ way: Way
    ) async throws {
        let (errno, run) = try await run(user, "image", way.name, into: "outside")
        #expect(errno == EPERM, "\(run.output)\(run.errors)")
        #expect(run.errors.contains("was denied: it is no process of the command"), "\(run.errors)")
    }

    @Test(arguments: users, ways) func `an image's call into another process of the command goes on`(
        _ user: String, _ way: Way
    ) async throws {
        let (errno, run) = try await run(user, "image", way.name, into: "child")
        #expect(errno == 0, "\(run.output)\(run.errors)")
        #expect(!run.errors.contains("denied") && !run.errors.contains("blocked"), "\(run.errors)")
    }

    /// As programs make these calls: strace, debuggers, and compilers that write their code so.
    @Test(arguments: users, ways) func `a library's function is judged by whom it reaches into, too`(
        _ user: String, _ way: Way
    ) async throws {
        let outside = try await run(user, "function", way.name, into: "outside")
        #expect(outside.errno == EPERM, "\(outside.run.output)\(outside.run.errors)")
        #expect(outside.run.errors.contains("was denied: it is no process of the command"), "\(outside.run.errors)")
        let child = try await run(user, "function", way.name, into: "child")
        #expect(child.errno == 0, "\(child.run.output)\(child.run.errors)")
        #expect(!child.run.errors.contains("denied") && !child.run.errors.contains("blocked"), "\(child.run.errors)")
    }

    @Test(arguments: users, ways) func `unbacked code reaches into nobody, be it the command's own child`(
        _ user: String, _ way: Way
    ) async throws {
        let (errno, run) = try await run(user, "memory", way.name, into: "child")
        #expect(errno == EPERM, "\(run.output)\(run.errors)")
        #expect(run.errors.contains("blocked \(way.call) "), "\(run.errors)")
    }

    /// The shell that started the command would execute what is typed, outside of it.
    @Test func `a command can't type into a terminal`() async throws {
        let (errno, run) = try await run(Self.users[0], "image", "type", into: "child")
        #expect(errno == EPERM, "\(run.output)\(run.errors)")
        #expect(SystemCallInterface.typingRequests.contains(UInt32(TIOCSTI)))
    }

    @Test func `a policy that only watches lets the call go on and says so`() async throws {
        let (errno, run) = try await run(Self.users[0], "image", "open", into: "outside", ["--watch"])
        #expect(errno == 0, "\(run.output)\(run.errors)")
        #expect(run.errors.contains("was let through: it is no process of the command"), "\(run.errors)")
    }

    /// By a path that says nothing: only the kernel can tell.
    @Test(arguments: users) func `a link to another process's memory is denied where the kernel has domains`(_ user: String) async throws {
        let (errno, run) = try await run(user, "image", "link", into: "outside")
        guard SeccompBackend.canConfine else {
            print("left out: this kernel's Landlock has no domains without other restrictions (6.12 and later have)")
            return
        }
        #expect(errno == EACCES || errno == EPERM, "\(run.output)\(run.errors)")
        #expect(try await self.run(user, "image", "link", into: "child").errno == 0)
    }

    /// The stub's parent is the supervisor.
    @Test(arguments: users, ["write", "attach", "open"]) func `the supervisor's memory is closed`(_ user: String, _ way: String)
        async throws
    {
        let words = Self.words(
            user,
            [Fixtures.path("protect"), "--guard", "/bin/sh", "-c", "exec \(Fixtures.path("reach-stub")) image \(way) $PPID"])
        let run = try await FinishedCommand.run(words[0], Array(words.dropFirst()))
        #expect(Announcement(run.output).errno == EPERM, "\(run.output)\(run.errors)")
        #expect(run.errors.contains("no process of the command"), "\(run.errors)")
    }

    @Test(arguments: users) func `an orphan belongs to the command still, and its end is waited for`(_ user: String) async throws {
        // It waits until the supervisor is its parent.
        let orphan = """
            while [ "$(cut -d' ' -f4 /proc/$$/stat)" != "$0" ]; do :; done; exec \(Fixtures.path("reach-stub")) image write child
            """
        let script = "(sh -c '\(orphan.replacing("'", with: "'\"'\"'"))' $PPID &); exit 3"
        let words = Self.words(user, [Fixtures.path("protect"), "--guard", "/bin/sh", "-c", script])
        let run = try await FinishedCommand.run(words[0], Array(words.dropFirst()))
        #expect(run.status == 3, "\(run.errors)")
        #expect(Announcement(run.output).errno == 0, "\(run.output)\(run.errors)")
    }

    @Test(
        arguments: [
            ("/proc/12/mem", nil, .process(12)), ("/proc/12/task/13/mem", nil, .process(13)), ("mem", "/proc/7", .process(7)),
            ("../8/./mem", "/proc/7", .process(8)), ("/newroot/proc/9//mem", nil, .process(9)), ("/proc/self/mem", nil, .own),
            ("/proc/thread-self/mem", nil, .own), ("/proc/self/task/5/mem", nil, .own), ("/dev/mem", nil, nil), ("/proc/12/maps", nil, nil),
            ("/tmp/mem", nil, nil), ("mem", nil, nil), ("/proc/0/mem", nil, nil), ("/proc/-1/mem", nil, nil), ("/", nil, nil),
            ("", nil, nil),
            ("/proc/99999999999/mem", nil, nil),
        ] as [(String, String?, MemoryPath?)])
    func `whose memory a path names is told by its words`(_ path: String, _ base: String?, _ expected: MemoryPath?) {
        #expect(MemoryPath(path, from: base) == expected)
    }

    @Test(arguments: SystemCallInterface.allCases) func `of calls into processes the filter notifies those that reach in`(
        _ interface: SystemCallInterface
    ) {
        func outcome(_ number: UInt32, _ arguments: [UInt32] = [], _ program: CallFilter = .guardedCalls) -> UInt32? {
            CallFilterTests.run(program.instructions, architecture: interface.auditArchitecture, number: number, arguments: arguments)
        }
        let (allow, notify): (UInt32, UInt32) = (0x7FFF_0000, 0x7FC0_0000)
        for (call, number) in interface.intrusions {
            #expect(outcome(number, [16, 0x4206, 1], .criticalCalls) == allow)
            switch (call, interface.opening(number: number)) {
            case (.ptrace, _):
                for request in UInt32(0)..<0x4220 {
                    #expect(outcome(number, [request]) == (request == 16 || request == 0x4206 ? notify : allow), "request \(request)")
                }
            case (_, .open):
                #expect([0, 1, 2, 0o2000000, 0o101].map { outcome(number, [0, $0]) } == [allow, notify, notify, allow, notify])
            case (_, .openat):
                #expect([0, 1, 2, 0o2000000, 0o101].map { outcome(number, [3, 3, $0]) } == [allow, notify, notify, allow, notify])
            default: #expect(outcome(number) == notify)
            }
        }
        for (_, number) in interface.numbers { #expect(outcome(number) == notify) }
        #expect(outcome(0) == allow && outcome(1) == allow)
    }

    @Test func `numbers of a namespace are told from numbers here`() throws {
        let status = "Name:\tx\nTgid:\t40\nPPid:\t39\nNSpid:\t40\t2\nSeccomp:\t2\nSeccomp_filters:\t3\n"
        let entry = try #require(ProcessEntry(status: status))
        #expect(entry.process == 40 && entry.parent == 39 && entry.numbers == [40, 2] && entry.filters == 3)
        #expect(try #require(ProcessEntry(status: "Tgid:\t1\nPPid:\t0\nSeccomp:\t2\n")).filters == 1)
        #expect(ProcessEntry(status: "Name:\tx\n") == nil)
    }

    @Test func `in a pid namespace of its own the command's processes are its own still`() async throws {
        guard getuid() == 0 else { return print("left out: a pid namespace takes root") }
        let run = try await FinishedCommand.run(
            Fixtures.path("protect"),
            ["--guard", "/usr/bin/unshare", "--fork", "--pid", "--mount-proc", Fixtures.path("reach-stub"), "image", "write", "child"])
        #expect(Announcement(run.output).errno == 0, "\(run.output)\(run.errors)")
    }
}
