// SPDX-License-Identifier: Apache-2.0

internal import EpitopeModel
public import SignatureMaking
public import Signatures

/// Makes the signatures of a cluster and proves each: nothing is delivered that this has not shown.
///
/// With one packet and a goodware index the work is in memory: no process is started, no file is read.
public struct SignatureProver: Sendable {
    /// The most signatures that stand for one cluster together.
    public static let mostSignatures = 4

    public let material: ProvingMaterial

    public init(_ material: ProvingMaterial) {
        self.material = material
    }

    /// Makes and proves the signatures of a cluster.
    ///
    /// The best candidate that is proven is taken; for the packets that it misses the work begins again, up to
    /// ``mostSignatures`` times. What is left may be no more than the stated noise share.
    ///
    /// - Parameters:
    ///   - samples: the cluster's packets, the oldest first. Empty: only a signature came, and it is proven as far as
    ///     that goes without its packets.
    ///   - given: the signature that the cluster goes by, which is tried, too.
    public func prove(_ samples: [Sample], given: Signature) -> ProvingOutcome {
        guard !samples.isEmpty else {
            let proof = proof(of: given)
            let result = ProvenSignature(signature: given, proof: proof)
            return proof.passed ? ProvingOutcome(proven: [result], failed: nil) : ProvingOutcome(proven: [], failed: result)
        }
        let wire = WireEvidence(of: samples, captures: material.captures, streams: material.streams)
        var rest = wire.samples
        var proven: [ProvenSignature] = []
        var failed: ProvenSignature?
        while !rest.isEmpty, proven.count < Self.mostSignatures {
            let (best, worse) = firstProven(for: rest, given: given, wire: wire)
            failed = failed ?? worse
            guard let best else { break }
            proven.append(best)
            rest = rest.filter { !$0.isMatched(by: best.signature) }
        }
        return conclude(proven, failed: failed, of: wire.samples, missed: rest.count)
    }

    /// Proves a signature that came without its packets, as far as that goes.
    public func proof(of signature: Signature) -> Proof {
        var proof = SignatureCheck.proof(of: signature)
        if proof.passed { proof.checks += independentChecks(of: signature, wire: nil) }
        return proof
    }

    private func firstProven(
        for samples: [Sample], given: Signature, wire: WireEvidence
    ) -> (best: ProvenSignature?, failed: ProvenSignature?) {
        var failed: ProvenSignature?
        for candidate in candidates(for: samples, given: given) {
            var proof = SignatureCheck.proof(of: candidate, samples: samples.map(\.code.bytes))
            // How many it must match is decided over all signatures of the cluster, at the end; here, one.
            let isMatch = samples.contains { $0.isMatched(by: candidate) }
            proof.checks.removeAll { $0.name == CheckName.matchesSamples && isMatch }
            // The dear checks only for what holds so far.
            if proof.passed { proof.checks += independentChecks(of: candidate, wire: wire) }
            let result = ProvenSignature(signature: candidate, proof: proof)
            if proof.passed { return (result, failed) }
            failed = failed ?? result
        }
        return (nil, failed)
    }

    /// Adds to each signature how much of the cluster it matches, and all of them together.
    private func conclude(
        _ proven: [ProvenSignature], failed: ProvenSignature?, of samples: [Sample], missed: Int
    ) -> ProvingOutcome {
        let isEnough = missed == 0 || Double(missed) <= material.noiseShare * Double(samples.count)
        let concluded = proven.map { item in
            let own = samples.count { $0.isMatched(by: item.signature) }
            var detail = "\(own) of \(samples.count) packets of the cluster matched"
            if proven.count > 1 { detail += ", \(samples.count - missed) by its \(proven.count) signatures together" }
            if missed > 0 {
                detail += "; \(missed) missed, \(isEnough ? "within" : "beyond") the noise share of \(material.noiseShare)"
            }
            var result = item
            let check = Proof.Check(name: CheckName.matchesSamples, passed: isEnough, detail: detail)
            result.proof.checks.insert(check, at: min(1, result.proof.checks.count))
            return result
        }
        return isEnough
            ? ProvingOutcome(proven: concluded, failed: failed) : ProvingOutcome(proven: [], failed: concluded.first ?? failed)
    }
}
