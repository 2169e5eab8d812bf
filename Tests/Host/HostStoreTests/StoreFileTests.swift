// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import HostStore

@Suite struct StoreFileTests {
    /// What the second one was told is of the file that was put aside, and not of the new one.
    @Test func `a file that two find to be damaged is put aside once`() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/host.sqlite"
        let moved = Mutex(0)
        let file = StoreFile(path: path, maxBytes: nil) { _ in moved.withLock { $0 += 1 } }
        _ = try file.opened()
        let damaged = try #require(inode(path))
        let damage = EpitopeError(.hostStoreDamaged, "the store is damaged", remedy: "none")
        let (inside, isInside) = AsyncStream<Void>.makeStream()
        let (replaced, isReplaced) = AsyncStream<Void>.makeStream()

        let second = Task { () throws(EpitopeError) -> Int in
            let tries = Mutex(0)
            return try await file.mending { _ async throws(EpitopeError) -> Int in
                guard isFirst(tries) else { return 2 }
                isInside.finish()
                for await _ in replaced {}
                throw damage
            }
        }
        for await _ in inside {}
        let tries = Mutex(0)
        let first = try await file.mending { _ async throws(EpitopeError) -> Int in
            guard isFirst(tries) else { return 1 }
            throw damage
        }
        let new = try #require(inode(path))
        isReplaced.finish()
        #expect(try await second.value == 2)
        #expect(first == 1)
        #expect(moved.withLock { $0 } == 1)
        #expect(inode(path) == new)
        #expect(inode(path + ".damaged") == damaged)
    }
}

/// Whether a try is the first one.
private func isFirst(_ tries: borrowing Mutex<Int>) -> Bool {
    tries.withLock { count in
        count += 1
        return count == 1
    }
}

/// The number of a file's inode.
private func inode(_ path: String) -> UInt64? {
    var status = stat()
    return stat(path, &status) == 0 ? UInt64(status.st_ino) : nil
}
