// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import GRDB
import Glibc
import Synchronization

/// The revocations in memory: each request asks for its sender's, and hardly any reads the store.
///
/// They are read anew when the bell beside the store has rung: a file to which whoever revokes, in this process or another,
/// appends a byte once the revocation is on the disk. So the next request knows of it. A byte that could not be written (a full
/// disk, a crash just then) delays a revocation by ``maxAge`` at most.
final class KnownRevocations: Sendable {
    private struct Contents {
        var bell: FileIdentity?
        var read: ContinuousClock.Instant
        /// When each identity was last revoked, in milliseconds since 1970.
        var times: [Identity: Int64]
    }

    static let maxAge = Duration.seconds(10)

    private let bell: String
    private let contents = Mutex<Contents?>(nil)

    /// - Parameter store: the store's path.
    init(store: String) { bell = store + "-revocations" }

    /// When an identity was last revoked; `nil`: never.
    ///
    /// - Parameter read: reads all revocations from the store.
    func time(
        of identity: Identity, read: () async throws(EpitopeError) -> [Identity: Int64]
    ) async throws(EpitopeError) -> Int64? {
        // Looked at first: what is committed after the store was read rings after it.
        let rung = FileIdentity(path: bell)
        let known: Int64?? = contents.withLock { contents in
            guard let contents, contents.bell == rung, .now - contents.read < Self.maxAge else { return nil }
            return .some(contents.times[identity])
        }
        if let known { return known }
        let begun = ContinuousClock.now
        let times = try await read()
        contents.withLock { $0 = Contents(bell: rung, read: begun, times: times) }
        return times[identity]
    }

    /// Tells everybody who has the store open that there is a revocation more. Its size changes, and not only its time: two
    /// moments may be one to the file system.
    func ring() {
        guard let file = try? FileDescriptor(bell, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600) else { return }
        [UInt8(ascii: ".")].withUnsafeBytes { byte in _ = try? DescriptorIO.append(byte, to: file.number) }
    }
}

extension StoreTransaction {
    func revocations() throws -> [Identity: Int64] {
        Dictionary(
            try Row.fetchAll(db, sql: "SELECT role, name, time_ms FROM revocations").compactMap { row in
                Identity.Role(rawValue: row["role"]).map { (Identity(role: $0, name: row["name"]), row["time_ms"]) }
            }, uniquingKeysWith: max)
    }
}
