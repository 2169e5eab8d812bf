// SPDX-License-Identifier: Apache-2.0

public import Signatures

/// A signature with its report.
public struct ProvenSignature: Hashable, Sendable {
    public var signature: Signature
    public var proof: Proof

    public init(signature: Signature, proof: Proof) {
        self.signature = signature
        self.proof = proof
    }
}

/// What came of a cluster's packets.
public struct ProvingOutcome: Hashable, Sendable {
    /// Signatures whose proof passed. Several are a disjunction: together they match the cluster.
    public var proven: [ProvenSignature]
    /// The best that failed, with the reasons; `nil` when none did.
    public var failed: ProvenSignature?

    public init(proven: [ProvenSignature], failed: ProvenSignature?) {
        self.proven = proven
        self.failed = failed
    }
}
