// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Foundation
import GRDB
import Novelty
import PacketCoding

/// The host's database: packets seen, the day's quota, and the spool of packets that no center has acknowledged yet.
///
/// One SQLite file that every `epitope run` on the machine shares. A commit is on disk (WAL, synchronous FULL) before
/// a call returns, so kill -9 and power loss leave either all of a packet's admission or none of it.
public final class HostStore: Sendable {
    /// The name of the file within the state folder.
    public static let fileName = "host.sqlite"

    public let path: String
    public let settings: HostStoreSettings
    let database: DatabasePool

    /// Opens the store, and makes it where there is none: the folder with mode 0700, the file with 0600.
    ///
    /// - Throws: `host-store-unusable`, `disk-full`.
    public convenience init(directory: String, settings: HostStoreSettings = HostStoreSettings()) throws(EpitopeError) {
        try self.init(directory: directory, settings: settings, largestPageCount: nil)
    }

    /// - Parameter largestPageCount: where SQLite is to report a full disk; for tests.
    init(directory: String, settings: HostStoreSettings, largestPageCount: Int?) throws(EpitopeError) {
        self.settings = settings
        let path = directory + "/" + Self.fileName
        self.path = path
        do {
            try Self.prepare(directory: directory, path: path)
            var configuration = Configuration()
            configuration.busyMode = .timeout(10)
            configuration.maximumReaderCount = 2
            configuration.prepareDatabase { db in
                try db.execute(sql: "PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF; PRAGMA secure_delete = ON")
                if let largestPageCount { try db.execute(sql: "PRAGMA max_page_count = \(largestPageCount)") }
            }
            database = try DatabasePool(path: path, configuration: configuration)
            try HostStoreSchema.migrator.migrate(database)
        } catch {
            throw .store(error, path: path)
        }
    }

    private static func prepare(directory: String, path: String) throws {
        if !FileManager.default.fileExists(atPath: directory) {
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        }
        // Made before SQLite opens it, so that it never stands there readable by others; -wal and -shm take its mode.
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw EpitopeError.unusable(path, String(cString: strerror(errno))) }
        defer { close(descriptor) }
        guard fchmod(descriptor, 0o600) == 0 else { throw EpitopeError.unusable(path, String(cString: strerror(errno))) }
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
        do {
            return try await database.write(body)
        } catch {
            throw .store(error, path: path)
        }
    }

    func read<T: Sendable>(_ body: @Sendable @escaping (Database) throws -> T) async throws(EpitopeError) -> T {
        do {
            return try await database.read(body)
        } catch {
            throw .store(error, path: path)
        }
    }
}
