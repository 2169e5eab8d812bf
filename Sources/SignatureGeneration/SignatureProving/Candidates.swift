// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
public import SignatureMaking
import Signatures
import TokenSequences

extension SignatureProver {
    /// The candidates for a cluster's signatures, the best first, each with the reasons for its rank. None is proven yet.
    public func ranked(for samples: [Sample]) -> [RankedCandidate] {
        ranked(
            WireEvidence(of: samples, captures: material.captures, streams: material.streams, within: captureLimits).samples)
    }

    /// Ranks the candidates of samples that hold what was seen on the wire.
    private func ranked(_ samples: [Sample]) -> [RankedCandidate] {
        SignatureCandidates.ranked(
            for: samples, goodware: material.index, benign: samples.count > 1 ? benignPool() : BenignPool(streams: []),
            noiseShare: material.noiseShare, window: material.callerWindow)
    }

    /// The signatures to try, in this order.
    ///
    /// First the signature that the cluster goes by, if it matches every packet: hosts, sites and the global center then
    /// use the same signature, and no other needs to be made. If it misses a packet, or fails its proof, the candidates
    /// made of the packets follow in the order of their rank. They are made only when they are needed.
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
