internal import SignatureMaking
internal import Signatures
internal import TokenSequences

extension SignatureProver {
    /// The signatures to try: first the one that the cluster goes by, so that what stands doesn't change with every
    /// packet; where it fails, what is made of the packets, the best first.
    func candidates(for samples: [Sample], given: Signature) -> [Signature] {
        let made = SignatureMaking.candidates(
            for: samples, goodware: material.index, benign: BenignPool(streams: []), noiseShare: material.noiseShare)
        return [given] + made.filter { $0.id != given.id }
    }
}
