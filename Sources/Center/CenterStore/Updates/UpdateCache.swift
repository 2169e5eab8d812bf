// SPDX-License-Identifier: Apache-2.0

import Signatures
import Synchronization

/// The updates whose rules are at the IDS, decoded: they are asked for with every wake-up, and hardly ever change.
final class UpdateCache: Sendable {
    private struct Entry {
        var body: String
        var update: SignatureUpdate
    }

    private struct State {
        var entries: [Int64: Entry] = [:]
        var decoded = 0
    }

    private let state = Mutex(State())

    /// How many were decoded so far.
    var decoded: Int { state.withLock { $0.decoded } }

    /// The update of a row.
    ///
    /// - Returns: `nil` where it can't be read.
    func update(_ id: Int64, body: String) -> SignatureUpdate? {
        if let known = state.withLock({ $0.entries[id] }), known.body == body { return known.update }
        guard let update = try? RowCoding.value(SignatureUpdate.self, body) else { return nil }
        state.withLock { state in
            state.decoded += 1
            state.entries[id] = Entry(body: body, update: update)
        }
        return update
    }

    /// Forgets all others.
    func keep(_ ids: Set<Int64>) {
        state.withLock { $0.entries = $0.entries.filter { ids.contains($0.key) } }
    }
}
