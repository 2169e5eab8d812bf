// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FoundationEssentials
import GRDB
import PacketCoding

/// How packets lie in rows: the frame in the report's own, the code once for all that report it.
enum PacketRows {
    /// The columns that ``bytes(_:)`` reads, of `reports r` with ``body``.
    static let columns = "r.packet, r.body_id, r.body_at, b.bytes AS body"
    static let body = "LEFT JOIN bodies b ON b.id = r.body_id"

    /// A packet's wire form, as it came in; `nil`: the report has no packet.
    ///
    /// - Throws: `store-unusable` where the code is not there, or its place isn't.
    static func bytes(_ row: Row) throws(EpitopeError) -> [UInt8]? {
        guard let frame = row["packet"] as Data? else { return nil }
        guard row["body_id"] as Int64? != nil else { return [UInt8](frame) }
        guard let body = row["body"] as Data?, let place = row["body_at"] as Int?,
            let bytes = DividedPacket.join(frame: [UInt8](frame), place: place, code: [UInt8](body))
        else {
            throw EpitopeError(
                .storeUnusable, "the code of a packet is missing in the store",
                remedy: "check the disk, and restore the store from a backup if more of it is damaged")
        }
        return bytes
    }
}

/// Code that many reports may have in common, as the store keeps it.
struct SharedBody: Hashable, Sendable {
    /// SHA-256.
    var hash: Data
    var bytes: Data
    /// Where it belongs in the report's frame.
    var place: Int
}
