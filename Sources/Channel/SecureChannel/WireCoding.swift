// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import PacketCoding
package import Signatures

/// Sequenced updates between the values of the signatures' module and their encoding.
package enum WireCoding {
    /// The most updates in one answer: as many of the largest fit into the largest answer. A subscriber that gets so
    /// many asks on from the last.
    package static let mostUpdates = 100

    package static func encode(_ updates: [FeedEntry]) -> [UInt8] {
        SequencedUpdates(updates: Array(updates.prefix(mostUpdates))).encoded()
    }

    package static func updates(_ bytes: [UInt8]) throws -> [FeedEntry] {
        try SequencedUpdates(encoded: bytes).updates
    }
}
