// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import PacketCoding
package import Signatures

/// Sequenced updates between the values of the signatures' module and their encoding.
package enum WireCoding {
    /// Updates in one answer: as many of the largest fit into the largest answer. A subscriber that gets so many asks for
    /// those after the last.
    package static let maxUpdates = 100

    package static func encode(_ page: FeedPage) -> [UInt8] {
        var page = page
        page.entries = Array(page.entries.prefix(maxUpdates))
        return SequencedUpdates(page).encoded()
    }

    package static func updates(_ bytes: [UInt8]) throws -> FeedPage {
        try SequencedUpdates(encoded: bytes).page
    }
}
