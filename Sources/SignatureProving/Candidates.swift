internal import SignatureMaking
internal import Signatures
internal import TokenSequences

extension SignatureProver {
    /// The signatures to try, the best first; the last is the one that the cluster goes by.
    func candidates(for samples: [Sample], given: Signature) -> [Signature] {
        let made = SignatureMaking.candidates(
            for: samples, goodware: material.index, benign: BenignPool(streams: []), noiseShare: material.noiseShare)
        return made.contains { $0.id == given.id } ? made : made + [given]
    }
}
