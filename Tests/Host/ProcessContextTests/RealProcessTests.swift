// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import Crypto
import EpitopeModel
import Foundation
import TestSupport
import Testing

@testable import ProcessContext

/// Against the processes of this machine: this one, and one that the test starts.
@Suite struct RealProcessTests {
    private func waiting(_ body: (Process) async throws -> Void) async throws {
        let child = Process()
        child.executableURL = URL(fileURLWithPath: "/bin/cat")
        // The child reads until the pipe closes, so it ends with the test whatever happens.
        let input = Pipe()
        child.standardInput = input
        child.standardOutput = FileHandle.nullDevice
        try child.run()
        defer {
            try? input.fileHandleForWriting.close()
            child.waitUntilExit()
        }
        // The name changes at exec, which the spawning call may return before.
        while ProcessInspector().inspect(processID: child.processIdentifier, threadID: 0).name != "cat" {
            try await Task.sleep(for: .milliseconds(1))
        }
        try await body(child)
    }

    @Test func `A process that runs another program is described by the one that called`() async throws {
        try await waiting { child in
            let host = ProcessContextCollector(hostID: nil)
            let path = try #require(realpath("/usr/bin/env", nil).map { String(cString: $0) })
            let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            let read = host.context(ofProcess: child.processIdentifier, thread: child.processIdentifier)
            let described = host.context(
                of: read,
                atCall: ProgramAtCall(name: "caller", path: path, file: .init(descriptor: file.fileDescriptor, root: "/")))
            try file.close()
            #expect(described.name == "caller" && described.executable?.path == path)
            #expect(described.parents == read.parents && described.userID == read.userID)
            let process = await host.enrich(described).process
            let content = try Data(contentsOf: URL(fileURLWithPath: path))
            #expect(process.executable?.sha256 == Hex.encode(SHA256.hash(data: content)))
            // Without the file nothing is said of it but its path: not what the process runs now.
            let unknown = host.context(of: read, atCall: ProgramAtCall(name: "caller", path: path))
            let enriched = await host.enrich(unknown).process
            #expect(enriched.executable?.path == path && enriched.executable?.sha256 == nil)
        }
    }

    @Test func `A child is described with its program, ancestors and user`() async throws {
        try await waiting { child in
            let host = ProcessContextCollector(hostID: "host-1")
            let seen = host.context(ofProcess: child.processIdentifier, thread: child.processIdentifier)
            #expect(seen.name == "cat")
            #expect(seen.parents.first?.processID == getpid())
            #expect(seen.parents.count <= ProcessInspector.maxParents)
            #expect(seen.userID == geteuid())
            let path = try #require(seen.executable?.path)
            #expect(seen.executable?.sha256 == nil, "hashing is left to the slower part")
            let (process, system) = await host.enrich(seen)
            let content = try Data(contentsOf: URL(fileURLWithPath: path))
            #expect(process.executable?.sha256 == Hex.encode(SHA256.hash(data: content)))
            #expect(system.hostID == "host-1")
            #expect(
                system.kernelRelease == (try KernelFile.text("/proc/sys/kernel/osrelease")).dropLast().description)
            if let release = try? String(contentsOfFile: "/usr/lib/os-release", encoding: .utf8), release.contains("ID=debian\n") {
                #expect(system.distribution == "debian")
                #expect(process.executable?.package == "coreutils")
                #expect(process.executable?.packageVersion?.isEmpty == false)
                #expect(system.libcVersion?.hasPrefix("glibc 2.") == true)
            }
        }
    }

    @Test func `What was held can be completed after the process has gone`() async throws {
        let host = ProcessContextCollector(hostID: nil)
        var seen: ProcessParameters?
        try await waiting { child in seen = host.context(ofProcess: child.processIdentifier, thread: 1) }
        let (process, _) = await host.enrich(try #require(seen))
        #expect(process.executable?.sha256?.count == 64)
    }

    @Test(arguments: [nil, getpid()])
    func `A process's sockets are found, by asking them and in its own tables`(asked: Int32?) throws {
        let udp = try bound(SOCK_DGRAM)
        let tcp = try bound(SOCK_STREAM)
        defer {
            close(udp.descriptor)
            close(tcp.descriptor)
        }
        #expect(listen(tcp.descriptor, 1) == 0)
        let sockets = ProcessSockets(process: "/proc/\(getpid())", processID: asked)
        #expect(sockets.listening.contains(.init(transport: .udp, local: SocketEndpoint(address: "127.0.0.1", port: udp.port))))
        #expect(sockets.listening.contains(.init(transport: .tcp, local: SocketEndpoint(address: "127.0.0.1", port: tcp.port))))
        let client = try bound(SOCK_STREAM)
        defer { close(client.descriptor) }
        var peer = tcp.address
        let connected = withUnsafePointer(to: &peer) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(client.descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        #expect(connected == 0)
        #expect(
            ProcessSockets(process: "/proc/\(getpid())", processID: asked).connected.contains(
                .init(
                    transport: .tcp, local: SocketEndpoint(address: "127.0.0.1", port: client.port),
                    peer: SocketEndpoint(address: "127.0.0.1", port: tcp.port), wasAccepted: false)))
    }

    private func bound(_ type: __socket_type) throws -> (descriptor: Int32, port: UInt16, address: sockaddr_in) {
        let descriptor = socket(AF_INET, Int32(type.rawValue), 0)
        try #require(descriptor >= 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 && getsockname(descriptor, $0, &size) == 0
            }
        }
        try #require(result)
        return (descriptor, UInt16(bigEndian: address.sin_port), address)
    }

    @Test func `Of a process that is not there nothing is claimed`() async {
        let host = ProcessContextCollector(hostID: nil)
        // Beyond the largest number that Linux gives out (2^22).
        let seen = host.context(ofProcess: 1 << 23, thread: 5)
        #expect(seen == ProcessParameters(processID: 1 << 23, threadID: 5))
        let (process, system) = await host.enrich(seen)
        #expect(process == seen)
        #expect(system.distribution == nil)
    }
}
