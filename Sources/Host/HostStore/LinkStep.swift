// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import GRDB
import Novelty
import PacketCoding

/// What is put on the link to the centers, within a transaction: as it goes into the spool, by every program that shares the store. What
/// is sent again, after a failure, isn't counted again.
struct LinkStep {
    let db: Database
    let settings: HostStoreSettings
    let nowMilliseconds: Int64

    /// The packet in the largest form that the budget has room for.
    func fitted(_ packet: EncodedPacket, copies: Int) throws -> (packet: EncodedPacket, form: LinkBudget.Form) {
        // A packet that can't be read, as one that another version kept, goes as it is.
        guard !settings.link.isUnlimited, let value = try? ExtractedPacket(encoded: packet.bytes), let codeBytes = value.codeBytes else {
            return (packet, .asItIs)
        }
        let form = settings.link.form(
            bytes: packet.bytes.count, codeBytes: codeBytes, copies: copies, use: try use(), nowMilliseconds: nowMilliseconds)
        guard form != .asItIs else { return (packet, form) }
        let reduced = value.reduced(to: form, signatureBytes: settings.signatureBytes)
        // Code that is a snippet already may be no larger than what there is room for.
        return reduced == value ? (packet, .asItIs) : (EncodedPacket(reduced), form)
    }

    /// Notes what was put on the link.
    func note(_ bytes: Int) throws {
        guard !settings.link.isUnlimited else { return }
        var use = try use()
        use.add(bytes, settings.link, nowMilliseconds: nowMilliseconds)
        try db.executeCached(
            sql: "INSERT OR REPLACE INTO link_use (number, day, bytes, busy_until_ms) VALUES (1, ?, ?, ?)",
            arguments: [use.day, use.bytesOfDay, use.busyUntilMilliseconds])
    }

    func use() throws -> LinkUse {
        guard let row = try Row.fetchOne(db.cachedStatement(sql: "SELECT day, bytes, busy_until_ms FROM link_use WHERE number = 1")) else {
            return LinkUse()
        }
        return LinkUse(day: row["day"], bytesOfDay: row["bytes"], busyUntilMilliseconds: row["busy_until_ms"])
    }
}

extension HostStore {
    /// The outcomes of packets that were beyond the link's budget.
    public static let (sentAsSnippet, sentAsSignature) = ("sent-as-snippet", "sent-as-signature")

    /// How many bytes of packets were put on the link on the day of a time (UTC), as far as that is counted: where there is a budget.
    public func linkBytes(nowMilliseconds: Int64) async throws(EpitopeError) -> Int {
        try await read { [settings] db in
            try LinkStep(db: db, settings: settings, nowMilliseconds: nowMilliseconds).use().bytes(onDayOf: nowMilliseconds)
        }
    }
}
