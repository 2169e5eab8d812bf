// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import GRDB
public import SecureChannel

extension CenterStore {
    /// In one transaction: as many as are written in some milliseconds.
    private static let maxSightings = 500

    /// Keeps when and where each peer was last seen, one row a peer. An identity that two machines have is an event, once a day.
    public func note(_ sightings: [PeerSighting]) async throws(EpitopeError) {
        var rest = sightings[...]
        while !rest.isEmpty {
            let some = rest.prefix(Self.maxSightings)
            rest = rest.dropFirst(some.count)
            try await transaction { transaction in
                for sighting in some { try transaction.note(sighting) }
            }
        }
    }
}

extension StoreTransaction {
    fileprivate func note(_ sighting: PeerSighting) throws {
        let (role, name) = (sighting.identity.role.rawValue, sighting.identity.name)
        // A clock that was ahead does not keep the latest out: the last that is written is the latest.
        try db.execute(
            sql: """
                INSERT INTO sightings (role, name, seen_ms, address, version, protection, applications, until_ms, authority)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                ON CONFLICT (role, name) DO UPDATE SET seen_ms = excluded.seen_ms, address = excluded.address, version = excluded.version,
                  protection = excluded.protection, applications = excluded.applications, until_ms = excluded.until_ms, authority = excluded.authority
                """,
            arguments: [
                role, name, sighting.seenMilliseconds, sighting.address, sighting.note.version, sighting.note.protection,
                sighting.note.applications, sighting.certificateUntilMilliseconds, sighting.authority,
            ])
        guard let other = sighting.otherAddress else { return }
        let told = try Int64.fetchOne(db, sql: "SELECT shared_ms FROM sightings WHERE role = ? AND name = ?", arguments: [role, name])
        guard told.map({ !(0..<Duration.days(1).inMilliseconds).contains(nowMilliseconds - $0) }) ?? true else { return }
        try db.execute(
            sql: "UPDATE sightings SET shared_ms = ? WHERE role = ? AND name = ?", arguments: [nowMilliseconds, role, name])
        try record(
            .identityShared, name,
            "two machines have the identity of this \(role), at \(sighting.address ?? "an unknown address") and at \(other): revoke it, and enrol each "
                + "by a name of its own")
    }
}
