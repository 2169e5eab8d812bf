// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import SignatureMaking
import Signatures

/// The packets of a cluster for which no signature is proven yet, and in which turn signatures are sought for them.
///
/// Most candidates are made of one packet. Where none of them is proven, or what is proven matches only what one reporter sent, the
/// others' packets are next: so one reporter's junk delays nobody's attack, whatever of it can be proven.
struct UnmatchedSamples {
    /// All, the oldest first: what is made of some of them is held against the others.
    private(set) var all: [Sample]
    /// Those for which a signature is sought now, the oldest first.
    private(set) var next: [Sample]
    /// Those whose turn comes when ``next`` is empty.
    private var later: [Sample] = []
    /// Whether one reporter sent all.
    private let isOfOne: Bool

    init(_ samples: [Sample]) {
        (all, next) = (samples, samples)
        isOfOne = Set(samples.map(\.reporter)).count <= 1
    }

    /// Notes that a signature was proven.
    mutating func matched(by signature: Signature) {
        let matched = next.filter { $0.isMatched(by: signature) }
        next.removeAll { $0.isMatched(by: signature) }
        later.removeAll { $0.isMatched(by: signature) }
        all.removeAll { $0.isMatched(by: signature) }
        if let reporter = matched.first?.reporter, matched.allSatisfy({ $0.reporter == reporter }) { postpone(reporter) }
        refill()
    }

    /// Notes that nothing was proven for those that are next. The one of which candidates were made is not tried again, nor the same code;
    /// what else its reporter sent comes later. What others sent that is alike to it has its own turn, since it needn't be the same. Where
    /// one reporter sent all, what is alike is not tried, either.
    mutating func failed() {
        guard let (reference, alike) = SignatureCandidates.reference(of: next) else {
            next = []
            return refill()
        }
        let (reporter, code) = (next[reference].reporter, next[reference].code.bytes)
        let tried = Set(alike.filter { isOfOne || next[$0].reporter == reporter && next[$0].code.bytes == code })
        next = next.indices.filter { !tried.contains($0) }.map { next[$0] }
        if let reporter { postpone(reporter) }
        refill()
    }

    private mutating func postpone(_ reporter: String) {
        later += next.filter { $0.reporter == reporter }
        next.removeAll { $0.reporter == reporter }
    }

    private mutating func refill() { if next.isEmpty { (next, later) = (later, []) } }
}
