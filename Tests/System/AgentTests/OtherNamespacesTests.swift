// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import TestSupport
import Testing

extension AgentTests {
    /// Processes in namespaces and roots of their own: what is reported of them is what they are on the machine. That the right process is
    /// ended is tested where an agent may end processes (`HardenedMachineTests`).
    @Suite struct OtherNamespacesTests {
        /// A service of the user nobody in a namespace of process IDs, alone and with one of users, where it is root.
        @Test(arguments: [["--pid"], ["--pid", "--user", "--map-root-user"]])
        func `a service in other namespaces is reported as the process that it is on the machine`(_ kinds: [String]) async throws {
            let fixture = try await AgentFixture()
            let agent = try await fixture.agent()
            let receiver = Receiver(datagrams: true)
            let words = PythonStub.words(port: receiver.port)
            // A namespace of users is made by the user that then is root in it, others by root.
            let place = kinds.contains("--user") ? try #require(words.firstIndex(of: "/usr/bin/env")) : 0
            let unsharing = ["/usr/bin/unshare"] + kinds + ["--fork", "--mount-proc"]
            let runner = try RunningProcess(words[..<place] + unsharing + words[place...])
            let port = try await runner.line(with: "listening").split(separator: " ").last.flatMap { UInt16($0) }
            try await runner.line(with: "result 92")
            let service = try #require(try ProcessTree.descendant(of: runner.identifier, named: "python3"))
            #expect(try ProcessTree.innermostID(of: service) < service)
            try await eventually("its report") { !fixture.reported(of: service).isEmpty }
            try await eventually("its packet in the spool") { (try? await fixture.packet(of: service)) != nil }
            let process = try await fixture.packet(of: service).parameters.process
            #expect(process.name == "python3")
            #expect(process.executable?.path == (try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(service)/exe")))
            #expect(process.parents.contains { $0.processID == runner.identifier })
            #expect(process.userID == 65534 && process.userName == "nobody")
            #expect(process.listening.contains { $0.local.port == port })
            try await eventually("its package in the log") { fixture.package(of: service) != nil }
            #expect(try await agent.end() == 0)
        }

        static let runtime = ContainerRuntime.runc

        /// Its root is another, with packages of its own, and its users are others on the machine.
        @Test(.enabled(if: runtime.missing == nil, "\(runtime.missing ?? "")"))
        func `a container with its own root and users is reported with its packages and the machine's numbers`() async throws {
            let bundle = try Self.bundle()
            try bundle.configure(
                ["call-stub", "library", "anonymous", "bind", "0", "linger"], seccomp: #"{"defaultAction": "SCMP_ACT_ALLOW"}"#,
                userNamespace: true)
            try bundle.openToUserNamespace()
            let fixture = try await AgentFixture()
            let agent = try await fixture.agent()
            let words = bundle.words(Self.runtime)
            let runner = try RunningProcess(words)
            try await runner.line(with: "result")
            let first = try await bundle.processID(Self.runtime)
            #expect(try ProcessTree.innermostID(of: first) == 1)
            try await eventually("its packet in the spool") { (try? await fixture.packet(of: first)) != nil }
            let process = try await fixture.packet(of: first).parameters.process
            #expect(process.name == "call-stub")
            #expect(process.executable?.path == "/bin/call-stub")
            #expect(process.containerID == bundle.id)
            // Its root. Nobody of this machine has the number, whoever has it in the container.
            #expect(process.userID == 100_000 && process.userName == nil)
            try await eventually("its package in the log") { fixture.package(of: first) == "stub-of-the-container" }
            #expect(try await agent.end() == 0)
        }

        /// It is in the machine's namespaces: its paths have the way to its root before them.
        @Test func `a program in a changed root is reported with the package that owns it there`() async throws {
            let bundle = try Self.bundle()
            let fixture = try await AgentFixture()
            let agent = try await fixture.agent()
            let stub = try RunningProcess([
                "/usr/sbin/chroot", "\(bundle.path)/rootfs", "/bin/call-stub", "library", "anonymous", "bind", "0", "linger",
            ])
            try await stub.line(with: "result")
            try await eventually("its packet in the spool") { (try? await fixture.packet(of: stub.identifier)) != nil }
            let process = try await fixture.packet(of: stub.identifier).parameters.process
            #expect(process.executable?.path == "\(bundle.path)/rootfs/bin/call-stub")
            try await eventually("its package in the log") { fixture.package(of: stub.identifier) == "stub-of-the-container" }
            #expect(try await agent.end() == 0)
        }

        /// With the stub, the package that it is of, and a user whose number is that of the container's root on the machine.
        private static func bundle() throws -> ContainerBundle {
            let bundle = try ContainerBundle(programs: ["call-stub"])
            for (name, text) in [
                ("etc/passwd", "root:x:0:0::/:/bin/sh\nsomebody:x:100000:100000::/:/bin/sh\n"),
                ("var/lib/dpkg/status", "Package: stub-of-the-container\nStatus: install ok installed\nVersion: 1\n"),
                ("var/lib/dpkg/info/stub-of-the-container.list", "/bin/call-stub\n"),
            ] {
                let file = URL(fileURLWithPath: "\(bundle.path)/rootfs/\(name)")
                try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
                try Data(text.utf8).write(to: file)
            }
            return bundle
        }
    }
}

/// Processes by their parents.
enum ProcessTree {
    /// A process of that name among those that a process started, or these.
    static func descendant(of ancestor: pid_t, named name: String) throws -> pid_t? {
        var parents: [pid_t: pid_t] = [:]
        for entry in try FileManager.default.contentsOfDirectory(atPath: "/proc") {
            guard let process = pid_t(entry), let parent = try? status(of: process, "PPid:").first else { continue }
            parents[process] = parent
        }
        return parents.keys.first { process in
            guard (try? KernelFile.text("/proc/\(process)/comm")) == name + "\n" else { return false }
            var next: pid_t? = process
            while let current = next, current != ancestor { next = parents[current] }
            return next == ancestor
        }
    }

    /// The number that a process has in its own namespace.
    static func innermostID(of process: pid_t) throws -> pid_t {
        guard let number = try status(of: process, "NSpid:").last else { throw NeverCame(what: "a namespace of process \(process)") }
        return number
    }

    private static func status(of process: pid_t, _ key: String) throws -> [pid_t] {
        let line = try KernelFile.text("/proc/\(process)/status").split(separator: "\n").first { $0.hasPrefix(key) }
        return line?.split(whereSeparator: \.isWhitespace).dropFirst().compactMap { pid_t($0) } ?? []
    }
}
