// SPDX-License-Identifier: Apache-2.0

public import Captures
public import Signatures

/// A signature with its proof, which may have failed.
public struct ProvenSignature: Hashable, Sendable {
    public var signature: Signature
    public var proof: Proof
    /// Captured flows that carried the attack, and in which an engine should see the signature.
    public var carriers: [CapturedFlow]
    /// Benign captures that could not be looked at, so that the proof failed.
    var unlookedCaptures: [String] = []

    public init(signature: Signature, proof: Proof, carriers: [CapturedFlow] = []) {
        self.signature = signature
        self.proof = proof
        self.carriers = carriers
    }

    init(signature: Signature, proof: Proof, carriers: [CapturedFlow], unlookedCaptures: [String]) {
        self.init(signature: signature, proof: proof, carriers: carriers)
        self.unlookedCaptures = unlookedCaptures
    }
}

/// The signatures that were made and proven of a cluster's packets.
public struct ProverResult: Hashable, Sendable {
    /// Signatures whose proof passed. A packet of the cluster is matched by at least one of them.
    public var proven: [ProvenSignature]
    /// The best signature that failed, with the reasons; `nil` if none did.
    public var failed: ProvenSignature?
    /// Captures that the code was to be looked for in and that were not read, or not to their end: the first few, with the reason.
    public var unreadCaptures: [String]
    /// Benign captures that could not be looked at, whatever a signature is made of: once they can be, or are gone, it may be proven. The
    /// first few, each a path or a capture set.
    public var unlookedCaptures: [String] = []

    public init(proven: [ProvenSignature], failed: ProvenSignature?, unreadCaptures: [String] = []) {
        self.proven = proven
        self.failed = failed
        self.unreadCaptures = unreadCaptures
    }
}
