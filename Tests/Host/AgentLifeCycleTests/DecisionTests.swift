// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import HostFrontEnd
import KernelBackend
import Testing

@testable import AgentLifeCycle

/// What is decided of rights, folders, environment and messages, as values.
@Suite struct DecisionTests {
    @Test func `rights are kept by need`() {
        #expect("\(Capabilities.afterLoading(kernelRelease: "6.1.0-40-cloud-amd64"))" == "CAP_DAC_READ_SEARCH CAP_KILL CAP_SYS_PTRACE")
        #expect(Capabilities.afterLoading(kernelRelease: "10.2") == Capabilities.afterLoading(kernelRelease: "6.0.0"))
        // Before Linux 6.0, the bpf call itself needs a right, even for a map that is open.
        #expect(Capabilities.afterLoading(kernelRelease: "5.19.17").contains(.bpf))
        #expect(Capabilities.afterLoading(kernelRelease: "").contains(.bpf))
        #expect(Capabilities.afterLoading(kernelRelease: "6.1").isDisjoint(with: .whileLoading))
        #expect("\(Capabilities(rawValue: 1 << 21 | 1 << 5))" == "CAP_KILL 0x200000")
    }

    /// The kernel's numbers (linux/capability.h): a set that is off by one would be another right.
    @Test func `rights have the kernels numbers`() {
        let numbers: [(Capabilities, Int)] = [
            (.readAnyFile, 2), (.signal, 5), (.setCapabilities, 8), (.traceProcesses, 19), (.seeKernelAddresses, 34),
            (.measurePerformance, 38), (.bpf, 39), (.followMappedFiles, 40),
        ]
        for (right, number) in numbers { #expect(right.rawValue == 1 << number) }
    }

    private static let status = """
        Name:\tepitope-agent
        Threads:\t1
        CapInh:\t0000000000000000
        CapPrm:\t0000000000080024
        CapEff:\t0000000000080024
        CapBnd:\t0000000000000000
        CapAmb:\t0000000000000000
        NoNewPrivs:\t1
        """

    @Test func `what a process may do is read as the kernel writes it`() throws {
        let rights = try #require(PrivilegeDrop.Rights(status: Self.status))
        #expect(rights.areOnly([.traceProcesses, .readAnyFile, .signal]))
        #expect(rights.threads == 1)
        #expect(!rights.areOnly([.traceProcesses]))
        for (line, other) in [
            ("CapInh:\t0000000000000000", "CapInh:\t0000000000000020"), ("CapEff:\t0000000000080024", "CapEff:\t0000000000080025"),
            ("CapPrm:\t0000000000080024", "CapPrm:\t0000000000280024"), ("CapAmb:\t0000000000000000", "CapAmb:\t0000000000000004"),
            ("NoNewPrivs:\t1", "NoNewPrivs:\t0"),
        ] {
            let changed = try #require(PrivilegeDrop.Rights(status: Self.status.replacing(line, with: other)))
            #expect(!changed.areOnly([.traceProcesses, .readAnyFile, .signal]), "\(other)")
        }
        #expect(PrivilegeDrop.Rights(status: Self.status.replacing("NoNewPrivs", with: "Other")) == nil)
        #expect(PrivilegeDrop.Rights(status: "") == nil)
    }

    @Test func `rights are not given up by one thread of several`() throws {
        // The test's own process has many.
        let failure = #expect(throws: EpitopeError.self) { try PrivilegeDrop.apply() }
        #expect(failure?.code == .privilegesNotDropped)
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        #expect(PrivilegeDrop.Rights(status: status)?.canGainRights == true)
    }

    @Test func `folders are roots or ones own`() {
        func fault(_ owner: UInt32, _ mode: UInt32, last: Bool, user: UInt32 = 0) -> FolderTrust.Fault? {
            FolderTrust(owner: owner, mode: mode, isLast: last).fault(user: user)
        }
        #expect(fault(0, 0o755, last: false) == nil)
        #expect(fault(0, 0o700, last: true) == nil)
        #expect(fault(1000, 0o700, last: true) == .foreignOwner(1000))
        #expect(fault(1000, 0o755, last: false) == .foreignOwner(1000))
        #expect(fault(1000, 0o700, last: true, user: 1000) == nil)
        #expect(fault(0, 0o775, last: true) == .writableByOthers(0o775))
        #expect(fault(0, 0o757, last: false) == .writableByOthers(0o757))
        // /tmp may lie on the way, but is nothing to keep files in.
        #expect(fault(0, 0o1777, last: false) == nil)
        #expect(fault(0, 0o1777, last: true) == .writableByOthers(0o1777))
    }

    @Test func `little of the environment is kept`() {
        let cleaned = AgentEnvironment.cleaned([
            "LD_PRELOAD=/tmp/x.so", "SWIFT_BACKTRACE=enable=yes", "XDG_STATE_HOME=/tmp", "PATH=/tmp", "NOTIFY_SOCKET=/run/systemd/notify",
            "HOME=/root",
            "GLIBC_TUNABLES=x", "no equals sign", "=", "TERM=",
        ])
        #expect(cleaned == [AgentEnvironment.path, "NOTIFY_SOCKET=/run/systemd/notify", "TERM="])
        #expect(Set(AgentEnvironment.cleaned(cleaned)) == Set(cleaned), "or it would start itself for ever")
    }

    @Test func `messages are as systemd reads them`() {
        #expect(ServiceManager.Message.ready.lines == "READY=1\n")
        #expect(ServiceManager.Message.status("a\nMAINPID=1\r\nb").lines == "STATUS=a MAINPID=1 b\n")
        #expect(ServiceManager.Message.reloading(monotonicMicroseconds: 5).lines == "RELOADING=1\nMONOTONIC_USEC=5\n")
        #expect(ServiceManager.address("/run/x") == Array("/run/x".utf8))
        #expect(ServiceManager.address("@x") == [0, UInt8(ascii: "x")])
        for path in ["", "/", "relative", "vsock:2:3", "/" + String(repeating: "x", count: 107)] {
            #expect(ServiceManager.address(path) == nil, "\(path)")
        }
        func watchdog(_ microseconds: String?, _ process: String?) -> Double? {
            ServiceManager(socketPath: "/x", watchdogMicroseconds: microseconds, watchdogProcess: process, ownProcess: 7)?.watchdogSeconds
        }
        #expect(watchdog("3000000", nil) == 3)
        #expect(watchdog("3000000", "7") == 3)
        #expect(watchdog("3000000", "8") == nil)
        #expect(watchdog("0", nil) == nil && watchdog("x", nil) == nil && watchdog(nil, nil) == nil)
        #expect(ServiceManager(socketPath: nil, watchdogMicroseconds: nil, watchdogProcess: nil, ownProcess: 7) == nil)
    }

    @Test func `descriptors are those that are for this process`() {
        typealias Kept = DescriptorStore.Kept
        func kept(_ process: String?, _ count: String?, _ names: String?) -> [Kept] {
            DescriptorStore.kept(process: process, count: count, names: names, ownProcess: 7)
        }
        #expect(kept("7", "2", "a:b") == [Kept(name: "a", descriptor: 3), Kept(name: "b", descriptor: 4)])
        #expect(kept("7", "2", "a") == [Kept(name: "a", descriptor: 3), Kept(name: "", descriptor: 4)])
        #expect(kept("7", "1", nil) == [Kept(name: "", descriptor: 3)])
        for (process, count) in [
            ("8", "1"), (nil, "1"), ("7", nil), ("7", "-1"), ("7", "0"), ("7", "x"), ("7", "99999999999"), ("7", "99999999"),
        ] {
            #expect(kept(process, count, "a").isEmpty, "\(process ?? "-") \(count ?? "-")")
        }
    }
}

/// Real folders, links and locks.
@Suite(.enabled(if: geteuid() == 0, "needs root: folders are given to other users")) struct FolderTests {
    private let folder = Folder()

    private final class Folder {
        let path = NSTemporaryDirectory() + "epitope-test-" + UUID().uuidString
        init() {
            try? FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        }
        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    private func refusal(_ path: String) -> EpitopeError.Code? {
        do throws(EpitopeError) {
            _ = try PrivateFolder(path)
            return nil
        } catch {
            return error.code
        }
    }

    @Test func `missing folders are made for their owner alone`() throws {
        umask(0o022)
        let made = try PrivateFolder(folder.path + "/./a//b/../c/")
        #expect(made.path.hasSuffix("/a/c"))
        var status = stat()
        #expect(lstat(made.path, &status) == 0 && status.st_mode & 0o7777 == 0o700)
        #expect(try PrivateFolder(made.path).path == made.path)
    }

    @Test func `what others can replace is refused`() throws {
        _ = try PrivateFolder(folder.path + "/above/state")
        chmod(folder.path + "/above", 0o777)
        #expect(refusal(folder.path + "/above/state") == .folderNotPrivate)
        chmod(folder.path + "/above", 0o1777)
        #expect(refusal(folder.path + "/above/state") == nil)
        #expect(refusal(folder.path + "/above") == .folderNotPrivate)
        chown(folder.path + "/above", 65534, 65534)
        #expect(refusal(folder.path + "/above/state") == .folderNotPrivate)
        chown(folder.path + "/above", 0, 0)
        chown(folder.path + "/above/state", 65534, 65534)
        #expect(refusal(folder.path + "/above/state") == .folderNotPrivate)
    }

    @Test func `links are followed where root made them`() throws {
        _ = try PrivateFolder(folder.path + "/real/state")
        let link = folder.path + "/link"
        #expect(symlink("real", link) == 0)
        #expect(try PrivateFolder(link + "/state").path.hasSuffix("/real/state"))
        #expect(symlink(folder.path + "/real", folder.path + "/absolute") == 0)
        #expect(try PrivateFolder(folder.path + "/absolute").path.hasSuffix("/real"))
        lchown(link, 65534, 65534)
        #expect(refusal(link + "/state") == .folderNotPrivate)
        #expect(symlink("circle", folder.path + "/circle") == 0)
        #expect(refusal(folder.path + "/circle") == .folderUnusable)
        try Data().write(to: URL(fileURLWithPath: folder.path + "/file"))
        #expect(refusal(folder.path + "/file") == .folderUnusable)
        #expect(refusal(folder.path + "/file/state") == .folderUnusable)
    }

    @Test func `a lock is no link and tells who has it`() throws {
        let place = try PrivateFolder(folder.path)
        let lock = try AgentLock(in: place)
        #expect(lock.take() && lock.take())
        #expect(lock.holder == nil)
        try lock.takeOrRefuse()
        lock.release()
        unlink(folder.path + "/" + AgentLock.fileName)
        try Data().write(to: URL(fileURLWithPath: folder.path + "/elsewhere"))
        #expect(symlink("elsewhere", folder.path + "/" + AgentLock.fileName) == 0)
        #expect(throws: EpitopeError.self) { try AgentLock(in: place) }
        #expect(AgentLock.holder(inFolder: folder.path) == nil)
    }
}

/// What `epitope status` says and ends with.
@Suite struct ProtectionReportTests {
    private func status(_ process: Int32) throws -> AgentStatus {
        let text = """
            {"processID": \(process), "level": "hooks", "action": "block", "since": 0, "time": 1000, "heldIn": "/sys/fs/bpf/epitope", "counted": {"dropped": 3}}
            """
        return try JSONDecoder().decode(AgentStatus.self, from: Data(text.utf8))
    }

    @Test func `what holds and who`() throws {
        let works = ProtectionReport(lockHolder: 7, status: try status(7), held: nil)
        #expect(works.state == .inForce(agent: 7) && works.exitStatus == 0)
        #expect(works.lines.contains("agent      process 7, since 1970-01-01T00:00:00.000Z"))
        #expect(works.lines.contains("in force   by hooks, action block"))
        #expect(works.lines.contains("  dropped 3"))
        // A starting agent has the lock and has said nothing: the last word is another's.
        #expect(ProtectionReport(lockHolder: 8, status: try status(7), held: nil).exitStatus == 3)
        #expect(ProtectionReport(lockHolder: nil, status: try status(7), held: nil).state == .notInForce)
        #expect(ProtectionReport(lockHolder: nil, status: nil, held: nil).exitStatus == 3)
    }
}
