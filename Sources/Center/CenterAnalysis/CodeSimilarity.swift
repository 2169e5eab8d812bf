// SPDX-License-Identifier: Apache-2.0

import CenterStore
import EpitopeModel
import SignatureMaking
import Signatures
import TokenSequences

/// Whether a packet with an unknown caller window is a variant of an attack in one of the newest clusters.
///
/// Only packets that came in the same way are compared: variants of one attack target one service. Should two attacks
/// be taken for one, each still gets a signature, since each signature is proven against the packets that it matches.
struct CodeSimilarity {
    /// In bits; two codes share less than this in common instructions.
    static let minSharedBits = 96.0
    /// In bytes, on each side of the caller's address: the code that is compared.
    static let maxReach = 1024
    /// The number of clusters that one packet is compared with, the newest of its context.
    static let maxClusters = 4

    /// In bytes: a run of code as long as that is enough by itself, such as a decoder before a body that is encoded anew for each
    /// victim. A head of the protocol that both came behind is as long, and no code.
    static let minSharedCode = 24

    private let sample: Sample
    private let places: CodePlaces
    private var comparison: TokenSequences.Comparison

    /// - Parameter places: remembers which bytes of samples are code.
    init(of sample: Sample, places: CodePlaces) {
        self.sample = sample
        self.places = places
        comparison = TokenSequences.Comparison(of: Self.surroundings(of: sample))
    }

    mutating func isVariant(of other: Sample) -> Bool {
        guard sample.architecture == other.architecture else { return false }
        let shared = comparison.shared(with: Self.surroundings(of: other))
        if shared.bits >= Self.minSharedBits { return true }
        guard shared.longestRun.count >= Self.minSharedCode, Signature.isSubstantial(shared.longestRun) else { return false }
        let run = Signature(tokens: [.init(bytes: shared.longestRun)], context: .any)
        return [sample, other].allSatisfy { sample in
            let place = places.place(of: run, in: sample)
            return place == .inCode || place == .atCall
        }
    }

    /// The code around the call.
    private static func surroundings(of sample: Sample) -> [UInt8] {
        let bytes = sample.code.bytes
        let call = sample.code.offset(of: sample.callersAddress) ?? bytes.count
        return Array(bytes[max(0, call - maxReach)..<min(bytes.count, call + maxReach)])
    }
}
