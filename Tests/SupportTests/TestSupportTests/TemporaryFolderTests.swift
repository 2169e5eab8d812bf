// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// Folders of tests that were killed don't stay.
@Suite struct TemporaryFolderTests {
    private func makeFolder(_ owner: FolderOwner, in place: TemporaryFolder) throws -> String {
        let path = try place.makeFolder(owner.folderName())
        try Data("x".utf8).write(to: URL(fileURLWithPath: path + "/file"))
        return path
    }

    @Test func `a folder's name says whose it is`() throws {
        let folder = try TemporaryFolder()
        let name = (folder.path as NSString).lastPathComponent
        #expect(FolderOwner(folder: name) == .current)
        #expect(!FolderOwner.current.hasEnded)
        #expect(name.utf8.count <= "epitope-test-".utf8.count + 36)
        for other in ["epitope-test-", "epitope-test-1-2-3", "epitope-test-1-2-!-4", "epitope-test-1-2-3-4-5", "else-1-2-3-4"] {
            #expect(FolderOwner(folder: other) == nil)
        }
    }

    @Test func `folders of processes that have ended are removed, and no others`() async throws {
        let place = try TemporaryFolder()
        let own = FolderOwner.current
        // Its process ID may be another's by now.
        var ended = own
        ended.startTicks -= 1
        let gone = try await Command.run("/bin/true", [])
        var unknown = own
        unknown.namespace += 1
        unknown.processID = gone.processID
        let removed = [ended, FolderOwner(namespace: own.namespace, processID: gone.processID, startTicks: 1)]
        let removedPaths = try removed.map { try makeFolder($0, in: place) }
        let keptPaths = try [own, unknown].map { try makeFolder($0, in: place) } + [place.makeFolder("epitope-test-by-hand")]
        FolderOwner.removeLeftovers(in: place.path)
        #expect(removedPaths.filter { FileManager.default.fileExists(atPath: $0) } == [])
        #expect(keptPaths.filter { !FileManager.default.fileExists(atPath: $0) } == [])
    }

    @Test func `a file of the kernel is read to its end`() throws {
        // Longer than the page or so that one read gives.
        let maps = try KernelFile.text("/proc/self/maps")
        #expect(maps.utf8.count > 8192 && maps.hasSuffix("\n"))
        #expect(throws: (any Error).self) { try KernelFile.text("/proc/self/no-such-file") }
    }
}
