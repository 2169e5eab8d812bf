// SPDX-License-Identifier: Apache-2.0

internal import EpitopeModel
internal import Signatures
internal import StreamReassembly
internal import TokenSequences

extension SignatureProver {
    /// Whether a flow that is held benign matches: one such flow is enough against a signature.
    func noBenignFlow(_ signature: Signature) -> Proof.Check {
        let name = CheckName.noBenignFlow
        guard !material.benignCaptures.isEmpty else {
            return Proof.Check(name: name, outcome: .notChecked, detail: "no capture of benign traffic is at hand")
        }
        var streams = 0
        var hit: String?
        do {
            for ring in material.benignCaptures where hit == nil {
                try material.streams.each(of: ring) { stream, file in
                    streams += 1
                    guard signature.matches(stream.bytes) else { return true }
                    hit = "a benign flow to port \(stream.server.port) in \(file) matches"
                    return false
                }
            }
        } catch {
            return Proof.Check(name: name, outcome: .failed, detail: "the benign traffic can't be read: \(error)")
        }
        return Proof.Check(name: name, passed: hit == nil, detail: hit ?? "none of \(streams) benign flows matches")
    }

    /// In bytes: how much benign traffic the rarity of tokens is counted against. The proof reads all of it.
    private static let mostOfPool = 64 << 20

    /// What token sequences are made against. Benign traffic that can't be read gives none: no signature gets past
    /// ``noBenignFlow(_:)`` then.
    func benignPool() -> BenignPool {
        var pool = BenignPool(streams: [])
        var bytes = 0
        for ring in material.benignCaptures {
            try? material.streams.each(of: ring) { stream, _ in
                pool.streams.append(stream.bytes)
                bytes += stream.bytes.count
                return bytes < Self.mostOfPool
            }
        }
        return pool
    }
}
