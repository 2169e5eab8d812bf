// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import SignatureMaking
import Signatures

/// Those of a cluster's reporters who speak for one of its signatures: they sent packets that it matches. Others in the cluster, whose
/// packets are only like them, say something else.
struct Supporters: Hashable, Sendable {
    /// Of how many of their packets it is kept where they came from: the newest.
    private static let maxSources = 8

    /// Each as it counts: one by all its names.
    private(set) var reporters: Set<String> = []
    /// The names that they sent the packets under.
    private(set) var senders: Set<String> = []
    /// Where the newest of the packets came from, as far as that is known.
    private(set) var sources: [IPAddress] = []
    /// Whether that are all packets that the proof was made with.
    private(set) var isWhole = false

    /// None.
    init() {}

    /// - Parameter samples: the oldest first.
    init(of signature: Signature, among samples: [Sample]) {
        let matcher = SignatureMatcher(signature)
        let matched = samples.filter { matcher.matches($0.code.bytes) }
        reporters = Set(matched.compactMap(\.reporter))
        senders = Set(matched.compactMap { $0.sender ?? $0.reporter })
        sources = matched.suffix(Self.maxSources).compactMap(\.source)
        isWhole = !samples.isEmpty && matched.count == samples.count
    }
}
