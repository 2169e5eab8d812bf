// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import Testing

@testable import AgentLifeCycle

/// Locks in real folders.
@Suite struct AgentLockTests {
    private let folder = Folder()

    private final class Folder {
        let path = NSTemporaryDirectory() + "epitope-test-" + UUID().uuidString
        init() {
            try? FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        }
        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    @Test func `a lock is not a link and names its holder`() throws {
        let place = try PrivateFolder(folder.path)
        let lock = try AgentLock(in: place)
        #expect(lock.acquire() && lock.acquire())
        #expect(lock.holder == nil)
        try lock.acquireOrThrow()
        lock.release()
        unlink(folder.path + "/" + AgentLock.fileName)
        try Data().write(to: URL(fileURLWithPath: folder.path + "/elsewhere"))
        #expect(symlink("elsewhere", folder.path + "/" + AgentLock.fileName) == 0)
        #expect(throws: EpitopeError.self) { try AgentLock(in: place) }
        #expect(AgentLock.holder(inFolder: folder.path) == nil)
    }
}
