// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
import EpitopeModel
import Foundation
import TestSupport
import Testing

extension AgentTests {
    /// The agent's capabilities while it serves, and that they suffice for its reports.
    @Suite struct RightsTests {
        static let kept: Capabilities = [.traceProcesses, .readAnyFile, .signal]

        /// Started by hand as root, and with only the unit's capabilities: afterwards both have the same.
        @Test(arguments: [false, true]) func `the agent gives up the rights it does not need and its reports stay whole`(byTheUnit: Bool)
            async throws
        {
            let fixture = try await AgentFixture()
            // The file mask and variables of the loader and the runtime must have no effect.
            let library = "/usr/lib/x86_64-linux-gnu/libpcap.so.0.8"
            try #require(access(library, R_OK) == 0, "this test preloads \(library), which tcpdump needs")
            let surroundings = [
                "/bin/sh", "-c", "umask 0; exec \"$@\"", "sh", "/usr/bin/env", "LD_PRELOAD=\(library)", "SWIFT_BACKTRACE=enable=yes",
                "XDG_STATE_HOME=/nowhere", "PATH=/nowhere", "TERM=dumb",
            ]
            let agent = try await fixture.agent(before: (byTheUnit ? ["/usr/bin/setpriv"] + Unit.rights() : []) + surroundings)
            try checkSurroundings(of: agent)
            try await eventually("its status") { FileManager.default.fileExists(atPath: fixture.state + "/agent.json") }
            try await checkFiles(of: fixture)
            let status = try KernelFile.text("/proc/\(agent.identifier)/status")
            let rights = try #require(PrivilegeDrop.Rights(status: status))
            let release = try KernelFile.text("/proc/sys/kernel/osrelease")
            #expect(rights.areOnly(.afterLoading(kernelRelease: release)), "\(status)")
            #expect(rights.bounding.isEmpty, "\(status)")
            // Every thread, not just the first.
            for thread in try FileManager.default.contentsOfDirectory(atPath: "/proc/\(agent.identifier)/task") {
                guard let status = try? KernelFile.text("/proc/\(agent.identifier)/task/\(thread)/status") else {
                    continue
                }
                #expect(PrivilegeDrop.Rights(status: status)?.areOnly(.afterLoading(kernelRelease: release)) == true, "\(status)")
            }

            // A packaged program, and one that only its user can read; both run as another user.
            let folder = try TemporaryFolder()
            let own = folder.path
            try await fixture.shell(
                "cp \(PythonStub.program) \(own)/service && chown -R 65534:65534 \(own) && chmod 700 \(own) \(own)/service")
            for program in [PythonStub.program, own + "/service"] {
                let receiver = Receiver(datagrams: true)
                let service = try RunningProcess(PythonStub.words(program, port: receiver.port))
                let port = try await service.line(with: "listening").split(separator: " ").last.flatMap { UInt16($0) }
                try await service.line(with: "result 92")
                try await eventually("its packet") {
                    fixture.events.contains { $0.event == "spooled" } && !fixture.reported(of: service.identifier).isEmpty
                }
                try await eventually("its packet in the spool") { (try? await fixture.packet(of: service.identifier)) != nil }
                let process = try await fixture.packet(of: service.identifier).parameters.process
                let path = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(service.identifier)/exe")
                let hash = try await Command.run("/usr/bin/sha256sum", [path]).output.prefix(64)
                #expect(process.executable?.path == path)
                #expect(process.executable?.sha256 == String(hash))
                if program == PythonStub.program {
                    // With the packet, or as soon as it is found.
                    try await eventually("its package in the log") { fixture.package(of: service.identifier) != nil }
                } else {
                    #expect(process.executable?.package == nil)
                }
                #expect(process.userID == 65534)
                #expect(process.userName == "nobody")
                #expect(process.listening.contains { $0.local.port == port })
            }
            #expect(try await agent.end() == 0)
        }

        private func checkSurroundings(of agent: RunningProcess) throws {
            let variables = try KernelFile.text("/proc/\(agent.identifier)/environ").split(separator: "\0").map(String.init)
            #expect(Set(variables) == ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=dumb"])
            #expect(try !KernelFile.text("/proc/\(agent.identifier)/maps").contains("libpcap"))
        }

        /// Its files are readable by root only.
        private func checkFiles(of fixture: AgentFixture) async throws {
            for name in [""] + (try FileManager.default.contentsOfDirectory(atPath: fixture.state)) {
                var status = stat()
                guard lstat(fixture.state + "/" + name, &status) == 0 else { continue }
                #expect(status.st_mode & 0o077 == 0 && status.st_uid == 0, "\(name): mode \(String(status.st_mode, radix: 8))")
            }
            let modes = try await fixture.shell("stat -c '%a %U' \(fixture.pins) \(fixture.pins)/*").output.split(separator: "\n")
            #expect(modes.first == "700 root" && modes.dropFirst().allSatisfy { $0 == "600 root" }, "\(modes)")
        }
    }
}
