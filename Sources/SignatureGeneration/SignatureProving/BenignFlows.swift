// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures
import StreamReassembly
import TokenSequences

/// Benign traffic: what a signature must not match, and what the rarity of tokens is counted in.
extension SignatureProver {
    /// Whether a benign flow matches: one is enough to reject a signature.
    func noBenignFlow(_ signature: Signature) -> Proof.Check {
        guard !material.benignCaptures.isEmpty else {
            return Proof.Check(.noBenignFlow, .notChecked, "no capture of benign traffic is at hand")
        }
        var streams = 0
        var hit: String?
        do {
            for captureSet in material.benignCaptures where hit == nil {
                try material.streams.each(of: captureSet) { stream, file in
                    streams += 1
                    guard signature.matches(stream.bytes) else { return true }
                    hit = "a benign flow to port \(stream.server.port) in \(file) matches"
                    return false
                }
            }
        } catch {
            return Proof.Check(.noBenignFlow, .failed, "the benign traffic can't be read: \(error)")
        }
        return Proof.Check(.noBenignFlow, passed: hit == nil, hit ?? "none of \(streams) benign flows matches")
    }

    /// In bytes: how much benign traffic the rarity of tokens is counted in. The check reads all of it.
    private static let maxPoolBytes = 64 << 20

    /// The benign streams that token sequences are ranked against. Captures that can't be read are left out: no signature
    /// passes ``noBenignFlow(_:)`` then.
    func benignPool() -> BenignPool {
        var pool = BenignPool(streams: [])
        var bytes = 0
        for captureSet in material.benignCaptures {
            try? material.streams.each(of: captureSet) { stream, _ in
                pool.streams.append(stream.bytes)
                bytes += stream.bytes.count
                return bytes < Self.maxPoolBytes
            }
        }
        return pool
    }
}
