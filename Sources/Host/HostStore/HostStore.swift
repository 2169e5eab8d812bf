// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Foundation
import GRDB
import Novelty
import PacketCoding
import SQLiteStore

/// The host's database: packets seen, the day's quota, and the spool of packets that no center has acknowledged yet.
///
/// One SQLite file that every `epitope run` on the machine shares. A commit is on disk (WAL, synchronous FULL) before
/// a call returns, so kill -9 and power loss leave either all of a packet's admission or none of it.
///
/// Every method throws `host-store-unusable` when the file can't be read, and one that writes also `disk-full`.
public final class HostStore: Sendable {
    /// The name of the file within the state folder.
    public static let fileName = "host.sqlite"

    public let path: String
    public let settings: HostStoreSettings
    private let database: SQLiteStore

    /// Opens the store, and makes it where there is none: the folder with mode 0700, the file with 0600.
    ///
    /// - Throws: `host-store-unusable`, `disk-full`.
    public convenience init(directory: String, settings: HostStoreSettings = HostStoreSettings()) throws(EpitopeError) {
        try self.init(directory: directory, settings: settings, maxBytes: nil)
    }

    /// - Parameter maxBytes: where SQLite is to report a full disk; for tests.
    init(directory: String, settings: HostStoreSettings, maxBytes: Int64?) throws(EpitopeError) {
        self.settings = settings
        path = directory + "/" + Self.fileName
        var sqlite = SQLiteStore.Settings(label: "host-store")
        sqlite.maxReaders = 2
        sqlite.maxBytes = maxBytes
        sqlite.isPrivate = true
        database = try SQLiteStore(path: path, sqlite, migrator: HostStoreSchema.migrator, describe: EpitopeError.hostStore)
    }

    /// Admits a packet: if it is new and within the quota, puts it in the spool of each destination, in one transaction. The
    /// packet is encoded here, once; these bytes are sent.
    ///
    /// - Parameter destinations: repetitions count once.
    /// - Throws: `disk-full`, `host-store-unusable`. After an error nothing was stored or counted.
    public func admit(
        _ packet: ExtractedPacket, to destinations: [Destination], nowMilliseconds: Int64
    ) async throws(EpitopeError) -> Admission {
        let fingerprint = PacketFingerprint(packet)
        let encoded = EncodedPacket(packet)
        return try await write { [settings] db in
            let step = AdmissionStep(db: db, settings: settings, nowMilliseconds: nowMilliseconds)
            return try step.admit(
                encoded, fingerprint: fingerprint, destinations: Set(destinations).sorted { $0.rawValue < $1.rawValue })
        }
    }

    func write<T: Sendable>(_ body: @Sendable @escaping (Database) throws -> T) async throws(EpitopeError) -> T {
        try await database.write(body)
    }

    func read<T: Sendable>(_ body: @Sendable @escaping (Database) throws -> T) async throws(EpitopeError) -> T {
        try await database.read(body)
    }
}
