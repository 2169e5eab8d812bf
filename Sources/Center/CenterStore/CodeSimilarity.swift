// SPDX-License-Identifier: Apache-2.0

internal import EpitopeModel
internal import GRDB
internal import SignatureMaking
internal import SignatureProving
internal import TokenSequences

/// Whether a packet whose caller window nobody knows is a variant of an attack that one of the newest clusters holds.
///
/// Only packets that came in the same way are compared: variants of one attack go for one service. Two attacks that
/// are taken for one get a signature each, since each signature is proven against the packets that it claims.
struct CodeSimilarity {
    /// In bits: more than two codes share of common instructions.
    static let leastBits = 96.0
    /// In bytes, on each side of the caller's address: what is compared.
    static let reach = 1024
    /// The most clusters that one packet is compared with, the newest of its context.
    static let mostClusters = 4

    let db: Database

    /// The first of the clusters whose newest packet is alike.
    func first(of clusters: [Int64], like sample: Sample) throws -> Int64? {
        let code = Self.surroundings(of: sample)
        return try clusters.first { cluster in
            try CenterStore.newestPackets(1, of: cluster, db: db).contains { data in
                let other = Sample(try RowCoding.decode(data))
                return other.architecture == sample.architecture
                    && TokenSequences.sharedBits(of: code, and: Self.surroundings(of: other)) >= Self.leastBits
            }
        }
    }

    /// The code around the call.
    static func surroundings(of sample: Sample) -> [UInt8] {
        let bytes = sample.code.bytes
        let call = sample.code.offset(of: sample.callersAddress) ?? bytes.count
        return Array(bytes[max(0, call - reach)..<min(bytes.count, call + reach)])
    }
}
