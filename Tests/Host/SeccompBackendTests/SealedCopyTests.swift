// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import SeccompBackend
import TestSupport
import Testing

@testable import ProcessInspection

/// Programs that run from memory: container runtimes run from a sealed copy of themselves, malware from what it brought.
@Suite struct SealedCopyTests {
    private func run(_ manner: String, _ call: String) async throws -> (run: ProtectedRun, arrived: Int) {
        let receiver = Receiver(datagrams: true)
        let run = try await ProtectedRun.fixture("memory-program", [manner, call, String(receiver.port)])
        return (run, receiver.arrivals(datagrams: true))
    }

    @Test(arguments: ["unsealed", "altered"]) func `program in memory is reported`(_ manner: String) async throws {
        let (run, arrived) = try await run(manner, "plain")
        let detection = try #require(run.detections.first, "output: \(run.output)")
        #expect(detection.call == .sendto)
        // Who called it lies there, too.
        #expect(detection.evidence.map(\.kind) == [.memoryFile, .deeperInStack])
        #expect(arrived == 1, "memory files are reported only")
    }

    @Test(.enabled(if: SealedCopy.isOnDisk(Fixtures.path("memory-program")), "needs the tests' programs on a disk's file system"))
    func `sealed copy of an image is left alone`() async throws {
        let (run, arrived) = try await run("sealed", "plain")
        #expect(run.detections == [])
        #expect(arrived == 1)
    }

    @Test func `code that a sealed copy makes is not`() async throws {
        let (run, arrived) = try await run("sealed", "injected")
        #expect(run.detections.first?.evidence.first?.kind == .directCall)
        #expect(arrived == 0)
    }

    @Test func `only files on disks are compared`() {
        let mounts = """
            25 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
            31 25 0:27 / /dev/shm rw,nosuid - tmpfs tmpfs rw
            252 25 0:40 / /mnt rw,relatime - overlay overlay rw,lowerdir=/a
            """
        #expect(MountInfo.fileSystem(ofMount: 25, in: mounts) == "ext4")
        #expect(MountInfo.fileSystem(ofMount: 31, in: mounts) == "tmpfs")
        #expect(MountInfo.fileSystem(ofMount: 252, in: mounts) == "overlay")
        #expect(MountInfo.fileSystem(ofMount: 2, in: mounts) == nil)
        #expect(SealedCopy.diskFileSystems.isDisjoint(with: ["tmpfs", "ramfs", "rootfs", "overlay", "fuse", "fuseblk", "fuse.sshfs"]))
        #expect(!SealedCopy.isOnDisk("/proc/self/stat"))
        #expect(!SealedCopy.isOnDisk("/dev/null"))
    }

    @Test func `reads what states a process`() {
        #expect(ProcessStatistics("12 (a) b) (c) S 34 12 12 0")?.parent == 34)
        #expect(ProcessStatistics("12 (a")?.parent == nil)
        #expect(SealedCopy.programName(inCommandLine: "/usr/sbin/runc\0init\0") == "runc")
        #expect(SealedCopy.programName(inCommandLine: "crun") == "crun")
        for bad in ["", "\0init", "/", "/usr/..", "a/.", String(repeating: "a", count: 65)] {
            #expect(SealedCopy.programName(inCommandLine: bad) == nil)
        }
    }
}
