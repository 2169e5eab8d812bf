// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// All worst cases, in the order of the table.
enum WorstCases {
    static let all: [WorstCase] = matching + strategies + goodware + captures + buffers + messages

    /// - Throws: `ValidationError` for an unknown name.
    static func named(_ name: String) throws -> WorstCase {
        guard let found = all.first(where: { $0.name == name }) else {
            throw ValidationError("there is no worst case '\(name)'; there are \(all.map(\.name).joined(separator: ", "))")
        }
        return found
    }
}
