// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import KernelWatch
import TestSupport
import Testing

@testable import KernelBackend
@testable import ProcessInspection

/// Programs that run from memory: container runtimes run from a sealed copy of themselves, malware from what it brought.
@Suite(.enabled(if: Kernel.canLoad, Kernel.why)) struct MemoryProgramTests {
    /// The reports of the copy, once it has ended.
    private func reports(_ manner: String, _ call: String) async throws -> [Detection] {
        let watch = try #require(Watch.shared)
        let receiver = Receiver(datagrams: true)
        let run = try await Fixtures.run("memory-program", [manner, call, String(receiver.port)])
        #expect(run.status == 0 && run.output.contains("sent 1\n"), "\(run.output)\(run.errors)")
        let words = run.output.split { $0 == " " || $0 == "\n" }
        let process = try #require(words.firstIndex(of: "process").flatMap { Int32(words[$0 + 1]) })
        #expect(receiver.arrivals(datagrams: true) == 1)
        return await watch.calls(of: process, milliseconds: manner == "sealed" && call == "plain" ? 300 : 3000)
    }

    @Test(arguments: ["unsealed", "altered"]) func `is reported`(_ manner: String) async throws {
        let call = try #require(try await reports(manner, "plain").first)
        #expect(call.call == .sendto)
        #expect(call.evidence.map(\.kind) == [.memoryFile])
    }

    @Test(.enabled(if: SealedCopy.isOnDisk(Fixtures.path("memory-program")), "needs the tests' programs on a disk's file system"))
    func `sealed copy of an image is left alone`() async throws {
        #expect(try await reports("sealed", "plain").isEmpty)
    }

    @Test func `code that a sealed copy makes is not`() async throws {
        let call = try #require(try await reports("sealed", "injected").first)
        #expect(call.evidence.first?.kind == .directCall)
    }

    @Test func `bounds what is compared`() {
        var copies = SealedCopyCache()
        let second: UInt64 = 1_000_000_000
        let asked = [(SealedCopyCache.maxBytesPerSecond, 5 * second), (1, 5 * second + 1), (1, 6 * second)].map {
            copies.mayCompare($0, at: $1)
        }
        #expect(asked == [true, false, true])
        for inode in 0...UInt64(SealedCopyCache.maxFiles) { copies.insert(KernelFile(inode: inode, device: 1, generation: 2)) }
        #expect(!copies.contains(KernelFile(inode: 0, device: 1, generation: 2)))
        #expect(copies.contains(KernelFile(inode: 1, device: 1, generation: 2)))
        #expect(!copies.contains(KernelFile(inode: 1, device: 1, generation: 3)), "another file of that number")
        let new = copies.takeNew()
        #expect(new.count == SealedCopyCache.maxFiles + 1)
        let more = copies.takeNew()
        #expect(more.isEmpty)
    }
}
