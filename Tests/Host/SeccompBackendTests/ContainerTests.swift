// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Foundation
import ProcessInspection
import Synchronization
import TestSupport
import Testing

@testable import SeccompBackend

/// Real containers by real runtimes, whose calls are answered by the agent.
@Suite(.serialized) struct ContainerTests {
    typealias Runtime = ContainerRuntime

    /// Those that this machine has, each test's reason for the others on screen.
    private static func needs(_ runtime: Runtime) throws {
        guard let missing = runtime.missing else { return }
        // Of a test with several arguments the log doesn't say why one was left out.
        print("not tested with \(runtime): \(missing)")
        try Test.cancel("\(missing)")
    }

    /// An agent and what it says, for one test.
    private final class Agent: Sendable {
        let folder: TemporaryFolder
        let agent: SeccompAgent
        private let calls = Mutex<[Detection]>([])
        private let notices = Mutex<[String]>([])

        init(policy: Policy = .default) throws {
            folder = try TemporaryFolder()
            agent = try SeccompAgent(.init(path: folder.path + "/agent.sock", policy: policy))
            Task { for await call in agent.detections { calls.withLock { $0.append(call) } } }
            Task { for await notice in agent.notices { notices.withLock { $0.append("\(notice)") } } }
        }

        deinit { agent.stop() }

        func profile(_ flags: [SeccompProfile.Flag] = []) throws -> String {
            try SeccompProfile(listenerPath: folder.path + "/agent.sock", flags: flags).json
        }

        var said: [String] { notices.withLock { $0 } }

        /// What was reported, once all containers have ended.
        func reports(atLeast count: Int = 0) async throws -> [Detection] {
            try await eventually("the supervisors end with their containers") { agent.statistics.supervised == 0 }
            let least = max(count, Int(agent.statistics.calls.denied))
            try await eventually("every report is read") { calls.withLock { $0.count } >= least }
            // One too many would be in the same stream by now: reports are made before the last call is answered.
            try await Task.sleep(for: .milliseconds(100))
            return calls.withLock { $0 }
        }
    }

    /// A datagram service in the container, an injected call to it, and two calls as programs make them.
    private static func script(_ injected: String, how: String = "") -> [String] {
        [
            "sh", "-c",
            """
            sample-service --count-only 127.0.0.1:9555 & service=$!
            until grep -q ':2553 ' /proc/net/udp; do usleep 50000; done
            call-stub \(injected) 9555 \(how)
            call-stub bench 2 9555
            until grep -q ':2553 .* 00000000:00000000 ' /proc/net/udp; do usleep 50000; done
            usleep 100000
            kill $service
            wait $service
            """,
        ]
    }

    private static func bundle() throws -> ContainerBundle {
        try ContainerBundle(programs: ["call-stub", "sample-service"])
    }

    private static func expectBlocked(_ run: FinishedCommand, _ detection: Detection, _ kind: EvidenceKind, _ bundle: ContainerBundle)
        throws
    {
        let announced = Announcement(run.output)
        #expect(announced.errno == EPERM, "\(run.output)\(run.errors)")
        #expect(run.output.contains("total datagrams=2 "), "the injected one didn't arrive, the two of a program did: \(run.output)")
        #expect(run.status == 0, "\(run.errors)")
        #expect(detection.callersAddress == announced.callersAddress)
        #expect(detection.evidence.first?.kind == kind)
        #expect(detection.action == .blocked && detection.call == .sendto)
        #expect(detection.arguments.peer == SocketEndpoint(address: "127.0.0.1", port: 9555))
        let base = try #require(announced.base)
        let offset = try #require(detection.code.offset(of: base))
        #expect(Array(detection.code.bytes[offset...].prefix(announced.code.count)) == announced.code)
        #expect(detection.process.containerID == bundle.id)
        #expect(detection.process.processID > 0)
    }

    @Test(arguments: Runtime.allCases, [("direct anonymous send", EvidenceKind.directCall), ("library heap send", .libraryCall)])
    func `an injected call is denied and nothing leaves`(_ runtime: Runtime, _ injected: (String, EvidenceKind)) async throws {
        try Self.needs(runtime)
        let agent = try Agent()
        let bundle = try Self.bundle()
        try bundle.configure(Self.script(injected.0), seccomp: agent.profile())
        let run = try await bundle.run(runtime)
        let calls = try await agent.reports()
        #expect(calls.count == 1, "nothing else is reported, the runtime's own exec among it: \(calls.map(\.evidence))")
        try Self.expectBlocked(run, try #require(calls.first, "\(run.output)\(run.errors)"), injected.1, bundle)
        #expect(agent.said.isEmpty, "\(agent.said)")
    }

    @Test func `in a user namespace and by an overlay it is the same`() async throws {
        try Self.needs(.runc)
        let agent = try Agent()
        let bundle = try Self.bundle()
        try bundle.openToUserNamespace()
        // As engines mount it: the layers below, what the container writes above.
        for name in ["upper", "work", "merged"] {
            try FileManager.default.createDirectory(atPath: "\(bundle.path)/\(name)", withIntermediateDirectories: false)
        }
        chown("\(bundle.path)/upper", 100_000, 100_000)
        let layers = "lowerdir=\(bundle.path)/rootfs,upperdir=\(bundle.path)/upper,workdir=\(bundle.path)/work"
        let mounted = try await FinishedCommand.run("/bin/mount", ["-t", "overlay", "overlay", "-o", layers, "\(bundle.path)/merged"])
        try #require(mounted.status == 0, "\(mounted.errors)")
        // The library's caller is found by its unwind tables alone, whichever device the mapping is said to be of.
        try bundle.configure(
            Self.script("library heap send", how: "stale"), seccomp: agent.profile(), userNamespace: true, root: "merged")
        let run = try await bundle.run(.runc)
        _ = try await FinishedCommand.run("/bin/umount", ["\(bundle.path)/merged"])
        let calls = try await agent.reports()
        #expect(calls.count == 1)
        try Self.expectBlocked(run, try #require(calls.first, "\(run.output)\(run.errors)"), .libraryCall, bundle)
        #expect(agent.said.isEmpty, "\(agent.said)")
    }

    /// As runtimes do since a container could write to theirs: they run from a copy in a sealed memfd, and so execute the
    /// container's program from a memory file.
    @Test(arguments: Runtime.own) func `the start of a container is no attack though its runtime is a memory file`(_ runtime: Runtime)
        async throws
    {
        try Self.needs(runtime)
        let agent = try Agent()
        let bundle = try Self.bundle()
        // What the container's own program does from a memory file is reported.
        try bundle.configure(["call-stub", "direct", "memory-file", "exec", "9555"], seccomp: agent.profile())
        let sealed = """
            import os, fcntl, sys
            file = os.memfd_create("runtime", os.MFD_ALLOW_SEALING)
            os.write(file, open(sys.argv[1], "rb").read())
            fcntl.fcntl(file, 1033, 15)
            os.execv("/proc/self/fd/%d" % file, sys.argv[1:])
            """
        let words = bundle.words(runtime)
        let place = try #require(words.firstIndex(of: runtime.path))
        let all = Array(words[..<place]) + ["/usr/bin/python3", "-c", sealed] + words[place...]
        let run = try await FinishedCommand.run(all[0], Array(all.dropFirst()), seconds: 60)
        #expect(run.status == 0, "\(run.output)\(run.errors)")
        let calls = try await agent.reports(atLeast: 1)
        #expect(calls.map(\.call) == [.execve], "\(calls.map { ($0.evidence, $0.process, $0.action) })")
        #expect(calls.first?.callersAddress == Announcement(run.output).callersAddress)
        #expect(calls.first?.action == .watched)
    }

    @Test(arguments: Runtime.allCases) func `what is benign works and raises no alarm`(_ runtime: Runtime) async throws {
        try Self.needs(runtime)
        let agent = try Agent()
        let bundle = try Self.bundle()
        let flags: [SeccompProfile.Flag] = runtime.isCrun ? [.waitKillable] : []
        try bundle.configure(
            [
                "sh", "-c",
                """
                usleep 3000000 | nc -l -p 9556 > /tmp/asked &
                served=$!
                until cat /proc/net/tcp /proc/net/tcp6 | grep -q ':2554 '; do usleep 50000; done
                echo ping | nc 127.0.0.1 9556
                wait $served
                cat /tmp/asked
                for number in 1 2 3; do /bin/true && /bin/sh -c 'echo child'; done
                """,
            ],
            seccomp: agent.profile(flags))
        let run = try await bundle.run(runtime)
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.output == "ping\nchild\nchild\nchild\n")
        #expect(try await agent.reports().isEmpty)
        #expect(agent.said.isEmpty, "\(agent.said)")
        let statistics = agent.agent.statistics
        #expect(statistics.accepted == 1 && statistics.rejected == 0)
        #expect(statistics.calls.denied == 0 && statistics.calls.uninspectable == 0)
        #expect(statistics.calls.notified >= 10)
    }

    /// As those of runtimes that can't set the wait flag are: a signal takes a waiting call back, which starts over after the handler.
    @Test(arguments: Runtime.allCases) func `under a storm of signals each call is carried out once and reported once`(_ runtime: Runtime)
        async throws
    {
        try Self.needs(runtime)
        let agent = try Agent()
        let bundle = try Self.bundle()
        try bundle.configure(["call-stub", "direct", "anonymous", "send", "9555", "storm"], seccomp: agent.profile())
        let run = try await bundle.run(runtime)
        #expect(run.output.contains("storm connected 1000 accepted 1000 more 0 interrupted 1\n"), "\(run.output)\(run.errors)")
        #expect(Announcement(run.output).errno == EPERM, "\(run.output)\(run.errors)")
        let calls = try await agent.reports(atLeast: 1)
        #expect(calls.map(\.callersAddress) == [Announcement(run.output).callersAddress])
        #expect(agent.said.isEmpty, "\(agent.said)")
        #expect(agent.agent.statistics.calls.denied == 1)
    }

    @Test func `containers at once are each their own`() async throws {
        try Self.needs(.runc)
        try Self.needs(.crun)
        let agent = try Agent()
        let bundles = try [Self.bundle(), Self.bundle()]
        for bundle in bundles { try bundle.configure(Self.script("direct anonymous send"), seccomp: agent.profile()) }
        async let first = bundles[0].run(.runc)
        async let second = bundles[1].run(.crun)
        let runs = try await [first, second]
        let calls = try await agent.reports()
        #expect(calls.count == 2)
        for (run, bundle) in zip(runs, bundles) {
            let detection = try #require(calls.first { $0.process.containerID == bundle.id }, "\(run.output)\(run.errors)")
            try Self.expectBlocked(run, detection, .directCall, bundle)
        }
        #expect(agent.agent.statistics.accepted == 2)
    }

    /// The filter that a runtime made of a profile, out of the kernel.
    private static func filter(_ runtime: Runtime, _ seccomp: String) async throws -> [CallFilter.Instruction] {
        let bundle = try bundle()
        try bundle.configure(["sh", "-c", "echo started; while :; do usleep 100000; done"], seccomp: seccomp)
        let container = try RunningProcess(bundle.words(runtime))
        try await container.line(with: "started")
        let process = try await bundle.processID(runtime)
        let dump = try await Fixtures.run("filter-dump", ["\(process)"])
        // The runtime tidies up after its container.
        kill(process, SIGKILL)
        try await eventually("the container ends") { container.hasEnded }
        let filter = dump.output.split(separator: "\n").compactMap { line -> CallFilter.Instruction? in
            let fields = line.split(separator: " ").compactMap { UInt32($0) }
            guard fields.count == 4 else { return nil }
            return .init(code: UInt16(fields[0]), ifTrue: UInt8(fields[1]), ifFalse: UInt8(fields[2]), operand: fields[3])
        }
        try #require(filter.count > 10, "\(dump.errors)")
        return filter
    }

    /// Beside the project's own, call by call.
    @Test(arguments: Runtime.own) func `the containers filter watches what the projects own watches`(_ runtime: Runtime) async throws {
        try Self.needs(runtime)
        let agent = try Agent()
        let filter = try await Self.filter(runtime, agent.profile())
        for interface in SystemCallInterface.allCases {
            for number in UInt32(0)..<600 {
                for argument in UInt32(0)..<(interface == .i386 && number == SystemCallInterface.socketcall ? 30 : 1) {
                    let theirs = CallFilterTests.run(
                        filter, architecture: interface.auditArchitecture, number: number, firstArgument: argument)
                    let ours = CallFilterTests.run(
                        architecture: interface.auditArchitecture, number: number, firstArgument: argument)
                    #expect(theirs == ours, "\(interface) \(number) \(argument)")
                }
            }
        }
        for (interface, number) in [(SystemCallInterface.x86_64, UInt32(157)), (.i386, 172)] {
            for request in UInt32(0)..<20 {
                let outcomes = [filter, CallFilter.criticalCalls.instructions].map {
                    CallFilterTests.run($0, architecture: interface.auditArchitecture, number: number, arguments: [35, request])
                }
                #expect(outcomes[0] == outcomes[1], "\(interface), prctl of PR_SET_MM \(request)")
            }
        }
        // Where ours has other interfaces fail, libseccomp ends the process or thread: neither goes on.
        for (architecture, number) in [(UInt32(0xC000_003E), UInt32(0x4000_0000 | 520)), (0xC000_00B7, 59)] {
            let outcome = try #require(CallFilterTests.run(filter, architecture: architecture, number: number))
            #expect(outcome & 0xFFFF_0000 == 0 || outcome & 0xFFFF_0000 == 0x8000_0000, "\(String(outcome, radix: 16))")
        }
    }

    /// An engine's profile has rules that libseccomp can't have beside each other everywhere: that the runtime takes it, and
    /// that no call gets past the agent through `socketcall`, is what the merging has to see to.
    @Test(arguments: Runtime.own) func `in an engines profile the same calls are watched`(_ runtime: Runtime) async throws {
        try Self.needs(runtime)
        let agent = try Agent()
        let base = """
            {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
             "syscalls": [
              {"action": "SCMP_ACT_ALLOW", "names": \(Self.ordinaryCalls)},
              {"action": "SCMP_ACT_ERRNO", "errnoRet": 22, "names": ["socket"],
               "args": [{"index": 0, "value": 16, "op": "SCMP_CMP_EQ"}, {"index": 2, "value": 9, "op": "SCMP_CMP_EQ"}]},
              {"action": "SCMP_ACT_ALLOW", "names": ["socket"], "args": [{"index": 2, "value": 9, "op": "SCMP_CMP_NE"}]},
              {"action": "SCMP_ACT_ALLOW", "names": ["socket"], "args": [{"index": 0, "value": 16, "op": "SCMP_CMP_NE"}]}]}
            """
        let profile = SeccompProfile(listenerPath: agent.folder.path + "/agent.sock")
        let filter = try await Self.filter(runtime, profile.merged(into: Array(base.utf8)))
        for interface in SystemCallInterface.allCases {
            for (_, number) in interface.numbers {
                let outcome = CallFilterTests.run(filter, architecture: interface.auditArchitecture, number: number)
                #expect(outcome == CallFilter.Outcome.notify, "\(interface) \(number)")
            }
        }
        for subcall in UInt32(1)..<21 {
            let outcome = CallFilterTests.run(filter, architecture: 0x4000_0003, number: 102, firstArgument: subcall)
            #expect(outcome == CallFilter.Outcome.notify, "socketcall \(subcall)")
        }
        // What it allows and forbids besides: read, socket, swapon.
        #expect(CallFilterTests.run(filter, architecture: 0xC000_003E, number: 0) == CallFilter.Outcome.allow)
        #expect(CallFilterTests.run(filter, architecture: 0xC000_003E, number: 41, firstArgument: 2) == CallFilter.Outcome.allow)
        let forbidden = try #require(CallFilterTests.run(filter, architecture: 0xC000_003E, number: 167))
        #expect(forbidden & 0xFFFF_0000 == 0x0005_0000)
    }

    /// Enough for a shell in a container, and for the runtimes on their way there.
    private static let ordinaryCalls: String = {
        let names = """
            accept accept4 access arch_prctl bind brk capget capset chdir chmod chown clock_gettime clock_nanosleep clone clone3 \
            close close_range connect dup dup2 dup3 epoll_create1 epoll_ctl epoll_pwait eventfd2 execve execveat exit exit_group \
            faccessat faccessat2 fcntl flock fork fstat fstatfs fsync ftruncate futex getcwd getdents getdents64 getegid geteuid \
            getgid getpeername getpgrp getpid getppid getrandom getrlimit getrusage getsockname getsockopt gettid gettimeofday \
            getuid ioctl kill listen lseek lstat madvise mincore mkdir mmap mprotect mremap munmap nanosleep newfstatat open \
            openat pause pipe pipe2 poll ppoll prctl pread64 prlimit64 pselect6 pwrite64 read readlink readlinkat readv recv \
            recvfrom recvmsg restart_syscall rseq rt_sigaction rt_sigprocmask rt_sigreturn rt_sigsuspend sched_getaffinity \
            sched_yield select send sendmmsg sendmsg sendto set_robust_list set_tid_address setgid setgroups setpgid setresgid \
            setresuid setsid setsockopt setuid shutdown sigaltstack socketcall stat statfs statx symlink sysinfo tgkill time \
            timer_create timer_delete timer_settime tkill umask uname unlink vfork wait4 write writev
            """
        return "[" + names.split(separator: " ").map { "\"\($0)\"" }.joined(separator: ", ") + "]"
    }()

    @Test(arguments: Runtime.own) func `without an agent a container does not start`(_ runtime: Runtime) async throws {
        try Self.needs(runtime)
        let folder = try TemporaryFolder()
        let bundle = try Self.bundle()
        try bundle.configure(["/bin/true"], seccomp: SeccompProfile(listenerPath: folder.path + "/agent.sock").json)
        let run = try await bundle.run(runtime)
        #expect(run.status != 0)
        #expect(run.errors.contains("agent.sock") || run.errors.contains("No such file"), "the runtime says why: \(run.errors)")
    }

    @Test(arguments: Runtime.own) func `when the agent ends critical calls fail`(_ runtime: Runtime) async throws {
        try Self.needs(runtime)
        // A process of its own, which can be ended while the container runs.
        let folder = try TemporaryFolder()
        let agent = try RunningProcess([Fixtures.path("protect"), "--listen", folder.path + "/agent.sock"])
        try await agent.line(with: "listening")
        let bundle = try Self.bundle()
        try bundle.configure(
            ["sh", "-c", "echo started; until [ -e /tmp/go ]; do usleep 50000 2>/dev/null || true; done; /bin/true || echo failed"],
            seccomp: SeccompProfile(listenerPath: folder.path + "/agent.sock").json)
        let container = try RunningProcess(bundle.words(runtime))
        try await container.line(with: "started")
        try await agent.end(SIGKILL)
        _ = FileManager.default.createFile(atPath: "\(bundle.path)/rootfs/tmp/go", contents: nil)
        try await container.line(with: "failed")
        try await eventually("the container ends") { container.hasEnded }
        #expect(container.errors.contains("Function not implemented"), "\(container.errors)")
    }
}
