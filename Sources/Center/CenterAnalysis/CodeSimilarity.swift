// SPDX-License-Identifier: Apache-2.0

import CenterStore
import EpitopeModel
import SignatureMaking
import TokenSequences

/// Whether a packet with an unknown caller window is a variant of an attack in one of the newest clusters.
///
/// Only packets that came in the same way are compared: variants of one attack target one service. Should two attacks
/// be taken for one, each still gets a signature, since each signature is proven against the packets that it matches.
enum CodeSimilarity {
    /// In bits; two codes share less than this in common instructions.
    static let minSharedBits = 96.0
    /// In bytes, on each side of the caller's address: the code that is compared.
    static let maxReach = 1024
    /// The number of clusters that one packet is compared with, the newest of its context.
    static let maxClusters = 4

    static func isVariant(_ sample: Sample, of other: Sample) -> Bool {
        sample.architecture == other.architecture
            && TokenSequences.sharedBits(of: surroundings(of: sample), and: surroundings(of: other)) >= minSharedBits
    }

    /// The code around the call.
    private static func surroundings(of sample: Sample) -> [UInt8] {
        let bytes = sample.code.bytes
        let call = sample.code.offset(of: sample.callersAddress) ?? bytes.count
        return Array(bytes[max(0, call - maxReach)..<min(bytes.count, call + maxReach)])
    }
}
