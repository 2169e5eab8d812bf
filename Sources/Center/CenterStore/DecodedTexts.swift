// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures
import Synchronization

/// Values that texts of the store stand for, those that were of use lately: a cluster's signature and its updates are read with each
/// report of it, and hardly ever change.
final class DecodedTexts<Value: Decodable & Sendable>: Sendable {
    private struct State {
        var recent: [String: Value] = [:]
        var earlier: [String: Value] = [:]
    }

    /// When so many came since the last time, those that were not of use since then are forgotten.
    private let max: Int
    private let state = Mutex(State())

    init(max: Int) { self.max = max }

    /// - Throws: `store-unusable` where it can't be read.
    func value(_ text: String) throws(EpitopeError) -> Value {
        if let known = state.withLock({ $0.recent[text] ?? $0.earlier[text] }) {
            state.withLock { if $0.recent[text] == nil { add(known, text, to: &$0) } }
            return known
        }
        let value = try RowCoding.value(Value.self, text)
        state.withLock { add(value, text, to: &$0) }
        return value
    }

    private func add(_ value: Value, _ text: String, to state: inout State) {
        if state.recent.count >= max { (state.recent, state.earlier) = ([:], state.recent) }
        state.recent[text] = value
    }

    /// How many are kept.
    var count: Int { state.withLock { $0.recent.count + $0.earlier.count } }
}

extension DecodedTexts<Signature> {
    /// Some 1 KiB each.
    static let signatures = DecodedTexts(max: 4096)
}

extension DecodedTexts<SignatureUpdate> {
    /// Some 4 KiB each.
    static let updates = DecodedTexts(max: 1024)
}
