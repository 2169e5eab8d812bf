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
/// Every method throws `host-store-unusable` or `host-store-damaged` when the file can't be read, and one that writes also
/// `disk-full`.
public final class HostStore: Sendable {
    /// The name of the file within the state folder.
    public static let fileName = "host.sqlite"

    public let path: String
    public let settings: HostStoreSettings
    private let file: StoreFile

    /// Opens the store, and makes it where there is none: the folder with mode 0700, the file with 0600.
    ///
    /// - Throws: `host-store-unusable`, `host-store-damaged`, `disk-full`.
    public convenience init(directory: String, settings: HostStoreSettings = HostStoreSettings()) throws(EpitopeError) {
        try self.init(directory: directory, settings: settings, maxBytes: nil)
    }

    /// A store that is opened when it is first used, and that mends itself: what can't be opened is tried again with each use,
    /// and a damaged file is put aside, for a new one. So a store that can't be used keeps nothing else from working.
    ///
    /// - Parameter onReplacement: told when a damaged file was put aside, with the path that it has now.
    public init(
        mending directory: String, settings: HostStoreSettings, onReplacement: @escaping @Sendable (_ movedTo: String) -> Void
    ) {
        self.settings = settings
        path = directory + "/" + Self.fileName
        file = StoreFile(path: path, maxBytes: nil, onReplacement: onReplacement)
    }

    /// - Parameter maxBytes: where SQLite is to report a full disk; for tests.
    init(directory: String, settings: HostStoreSettings, maxBytes: Int64?) throws(EpitopeError) {
        self.settings = settings
        path = directory + "/" + Self.fileName
        file = StoreFile(path: path, maxBytes: maxBytes, onReplacement: nil)
        _ = try file.opened()
    }

    /// Makes the first packets as quick to store as later ones: opens the store, and has the room for its log written ahead. What
    /// can't be done is left.
    public func prepare() async {
        guard let database = try? file.opened() else { return }
        await database.reserveLog()
    }

    /// Admits a packet: if it is new and within the quota, puts it in the spool of each destination, in one transaction. The
    /// packet is encoded here, once; these bytes are sent.
    ///
    /// - Parameter destinations: repetitions count once.
    /// - Throws: `disk-full`, `host-store-unusable`. After an error nothing was stored or counted.
    public func admit(
        _ packet: ExtractedPacket, to destinations: [Destination], nowMilliseconds: Int64
    ) async throws(EpitopeError) -> Admission {
        try await round(admitting: packet, to: destinations, nowMilliseconds: nowMilliseconds).admission
            ?? .overQuota(nextAllowedMilliseconds: nil)
    }

    /// As ``admit(_:to:nowMilliseconds:)``; and what waits for the quota goes to the spool, too, where the quota allows it, each
    /// in its turn by what it weighs.
    public func round(
        admitting packet: ExtractedPacket, to destinations: [Destination], nowMilliseconds: Int64
    ) async throws(EpitopeError) -> QuotaRound {
        let offer = AdmissionStep.Offer(
            packet: EncodedPacket(packet), fingerprint: PacketFingerprint(packet), claim: QuotaClaim(packet),
            destinations: Set(destinations).sorted { $0.rawValue < $1.rawValue })
        return try await write { [settings] db in
            try AdmissionStep(db: db, settings: settings, nowMilliseconds: nowMilliseconds).round(admitting: offer)
        }
    }

    /// Puts packets that wait for the quota into the spool, where the quota allows it now.
    public func release(nowMilliseconds: Int64) async throws(EpitopeError) -> QuotaRound {
        guard try await held() > 0 else { return QuotaRound() }
        return try await write { [settings] db in
            try AdmissionStep(db: db, settings: settings, nowMilliseconds: nowMilliseconds).round(admitting: nil)
        }
    }

    func write<T: Sendable>(_ body: @Sendable @escaping (Database) throws -> T) async throws(EpitopeError) -> T {
        try await file.mending { (database) async throws(EpitopeError) in try await database.write(body) }
    }

    func read<T: Sendable>(_ body: @Sendable @escaping (Database) throws -> T) async throws(EpitopeError) -> T {
        try await file.mending { (database) async throws(EpitopeError) in try await database.read(body) }
    }
}
