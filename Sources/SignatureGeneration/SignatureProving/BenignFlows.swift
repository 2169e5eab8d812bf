// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import ProtocolBuffers
import Signatures
import StreamReassembly
import TokenSequences

/// Benign traffic: what a signature must not match, and what the rarity of tokens is counted in.
extension SignatureProver {
    /// Whether a benign flow matches: one is enough to reject a signature. A capture that was not read, or not in time, counts
    /// against it: nobody knows what it holds. What lies beside captures and is none is only named.
    ///
    /// - Returns: with the captures that could not be looked at, if that is why the check failed. It passes once they can be, or are gone.
    func noBenignFlow(_ signature: Signature) -> (check: Proof.Check, unlooked: [String]) {
        guard !material.benignCaptures.isEmpty else {
            return (Proof.Check(.noBenignFlow, .notChecked, "no capture of benign traffic is at hand"), [])
        }
        let matcher = SignatureMatcher(signature)
        var flows = 0
        var hit: String?
        let reading = material.streams.each(of: material.benignCaptures, within: captureLimits) { stream, file in
            if !stream.isContinued { flows += 1 }
            guard matcher.matches(stream.bytes) || isInBuffer(signature, matcher, of: stream) else { return true }
            hit = "a benign flow to port \(stream.server.port) in \(file) matches"
            return false
        }
        if let hit { return (Proof.Check(.noBenignFlow, .failed, hit), []) }
        guard reading.isComplete else {
            let detail = "none of \(flows) benign flows matches, but not all were read\(reading.text)"
            return (Proof.Check(.noBenignFlow, .failed, detail), reading.unlooked)
        }
        guard flows > 0 else {
            return (Proof.Check(.noBenignFlow, .notChecked, "the captures of benign traffic hold no flow yet\(reading.text)"), [])
        }
        return (Proof.Check(.noBenignFlow, .passed, "none of \(flows) benign flows matches\(reading.text)"), [])
    }

    /// Whether one of the buffers that the signature's rule searches holds it.
    private func isInBuffer(_ signature: Signature, _ matcher: SignatureMatcher, of stream: CapturedStream) -> Bool {
        let searched = signature.context.buffers
        guard searched != [nil] else { return false }
        var isFound = false
        stream.eachBuffer { buffered in
            isFound = searched.contains(buffered.buffer) && matcher.matches(buffered.bytes)
            return !isFound
        }
        return isFound
    }

    /// In bytes: how much benign traffic the rarity of tokens is counted in. The check reads all of it.
    private static let maxPoolBytes = 64 << 20

    /// The benign streams that token sequences are ranked against. Captures that can't be read are left out: no signature
    /// passes ``noBenignFlow(_:)`` then.
    func benignPool() -> BenignPool {
        var pool = BenignPool(streams: [])
        var bytes = 0
        _ = material.streams.each(of: material.benignCaptures, within: captureLimits) { stream, _ in
            pool.streams.append(stream.bytes)
            bytes += stream.bytes.count
            return bytes < Self.maxPoolBytes
        }
        return pool
    }
}
