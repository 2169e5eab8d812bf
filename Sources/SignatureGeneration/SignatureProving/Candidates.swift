// SPDX-License-Identifier: Apache-2.0

internal import EpitopeModel
public import SignatureMaking
internal import Signatures
internal import TokenSequences

extension SignatureProver {
    /// The candidates for a cluster's signatures, the best first, each with what decided on its place. Nothing is
    /// proven yet.
    public func ranked(for samples: [Sample]) -> [RankedCandidate] {
        ranked(WireEvidence(of: samples, captures: material.captures, streams: material.streams).samples)
    }

    /// The same, with what is known of the wire.
    private func ranked(_ samples: [Sample]) -> [RankedCandidate] {
        SignatureMaking.ranked(
            for: samples, goodware: material.index, benign: samples.count > 1 ? benignPool() : BenignPool(streams: []),
            noiseShare: material.noiseShare)
    }

    /// The signatures to try, the first first.
    ///
    /// The one that the cluster goes by, as long as it matches every packet: hosts, sites and the global center then
    /// speak of one signature, and nothing else needs to be made. Where it misses one, or fails its proof, what is made
    /// of the packets, in the order of its rank.
    func candidates(for samples: [Sample], given: Signature) -> some Sequence<Signature> {
        let isGivenFirst = samples.allSatisfy { $0.isMatched(by: given) }
        let first = isGivenFirst ? [given] : []
        let others = [samples].lazy.flatMap { samples in
            let made = ranked(samples).map(\.signature).filter { !isGivenFirst || $0.id != given.id }
            return isGivenFirst || made.contains { $0.id == given.id } ? made : made + [given]
        }
        return [AnySequence(first), AnySequence(others)].lazy.joined()
    }
}
