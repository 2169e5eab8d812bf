// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
public import SignatureMaking
public import Signatures

/// Makes the signatures of a cluster and proves each one. Only signatures that it proved are delivered.
///
/// With one packet and a goodware index all work is in memory: no process is started and no file is read.
public struct SignatureProver: Sendable {
    /// The most signatures that together identify one cluster.
    public static let maxSignatures = 4

    /// How many times candidates are made of one cluster's packets.
    static let maxAttempts = 8

    /// In how many of its packets a signature's bytes are looked for. The others were found to be like these.
    private static let maxPlacedSamples = 8

    public let material: ProverMaterial
    /// When the proof that is being made reads captures no further.
    private var deadline: ContinuousClock.Instant?
    /// What Suricata said before.
    private(set) var answers: [EngineQuestion: Proof.Check] = [:]
    /// Signatures that were withdrawn: neither they nor others of the same bytes are made.
    private var withdrawn = WithdrawnBytes([])

    public init(_ material: ProverMaterial) {
        self.material = material
    }

    /// What the captures of one proof take at most.
    var captureLimits: CaptureStreams.Limits {
        .init(deadline: deadline ?? .now + material.proofTime, each: material.captureTime)
    }

    /// The same prover, with its time for one proof running.
    private var timed: SignatureProver {
        var prover = self
        prover.deadline = deadline ?? .now + material.proofTime
        return prover
    }

    /// Makes and proves the signatures of a cluster.
    ///
    /// Takes the best candidate that is proven, and starts again with the packets that it misses, up to
    /// ``maxSignatures`` times. Where none is, the packets that the candidates were made of are set aside, with what their reporter sent
    /// otherwise for later (``UnmatchedSamples``), and others have their turn, up to ``maxAttempts`` times in all. At the end the signatures may miss at most the noise share of the packets, each reporter's together
    /// counting as one (``ReporterShares``).
    ///
    /// - Parameters:
    ///   - samples: the cluster's packets, the oldest first. Empty where only a signature came: that is then proven as
    ///     far as that goes without its packets.
    ///   - given: the signature that the cluster goes by, which is tried first.
    ///   - answers: what Suricata said before of signatures of the cluster, over flows that carried the attack.
    ///   - withdrawn: signatures that are not to be made again, nor others of the same bytes.
    public func prove(
        _ samples: [Sample], given: Signature, answers: [EngineQuestion: Proof.Check] = [:], withdrawn: [Signature] = []
    ) -> ProverResult {
        var prover = timed
        prover.answers = answers
        prover.withdrawn = WithdrawnBytes(withdrawn)
        return prover.proveInTime(samples, given: given)
    }

    private func proveInTime(_ samples: [Sample], given: Signature) -> ProverResult {
        guard !samples.isEmpty else {
            let result = ProvenSignature(signature: given, proof: proof(of: given))
            return result.proof.passed
                ? ProverResult(proven: [result], failed: nil) : ProverResult(proven: [], failed: result)
        }
        let malicious = samples.filter(\.isMaliciousCode)
        guard !malicious.isEmpty else {
            let proof = Proof(checks: [FormChecks.noMaliciousCode(samples.count)])
            return ProverResult(proven: [], failed: ProvenSignature(signature: given, proof: proof))
        }
        let wire = WireEvidence(of: malicious, captures: material.captures, streams: material.streams, within: captureLimits)
        var rest = UnmatchedSamples(wire.samples)
        var proven: [ProvenSignature] = []
        var failures = Failures()
        var attempts = 0
        while !rest.next.isEmpty, proven.count < Self.maxSignatures, attempts < Self.maxAttempts, failures.unlooked.isEmpty {
            attempts += 1
            if let best = firstProven(for: rest.next, among: rest.all, given: given, wire: wire, &failures) {
                proven.append(best)
                rest.matched(by: best.signature)
            } else {
                rest.failed()
            }
        }
        let missed = wire.samples.filter { sample in !proven.contains { sample.isMatched(by: $0.signature) } }
        var result = conclude(proven, failed: failures.first, of: wire.samples, missed: missed)
        result.unreadCaptures = wire.unreadCaptures
        result.unlookedCaptures = failures.unlooked
        return result
    }

    /// What failed so far.
    private struct Failures {
        var first: ProvenSignature?
        /// What failed whatever packets it is to match.
        var always: Set<String> = []
        /// Benign captures that could not be looked at: then nothing can be proven.
        var unlooked: [String] = []

        mutating func add(_ failed: ProvenSignature) {
            first = first ?? failed
            if failed.proof.check(.absentFromGoodware) != nil { always.insert(failed.signature.id) }
            if unlooked.isEmpty { unlooked = failed.unlookedCaptures }
        }
    }

    /// Proves a signature that came without its packets, as far as that goes.
    public func proof(of signature: Signature) -> Proof {
        var proof = Proof(checks: FormChecks.checks(of: signature, enough: material.enough))
        if proof.passed { proof.checks += timed.independentChecks(of: signature, wire: nil, packets: nil).checks }
        return proof
    }

    /// Proves an update of the global center again with the material of this site. Fails, too, if its own proof did.
    public func proof(of update: SignatureUpdate) -> Proof {
        var proof = proof(of: update.signature)
        let isProvenThere = update.proof.passed
        // The packets that show it did not come along.
        if let atTheCall = update.proof.check(.atTheCall) { proof.insert(atTheCall: atTheCall) }
        proof.checks.append(
            Proof.Check(
                .provenByGlobalCenter, passed: isProvenThere,
                isProvenThere ? "its proof passed there" : "its proof did not pass there"))
        return proof
    }

    private func firstProven(
        for samples: [Sample], among all: [Sample], given: Signature, wire: WireEvidence, _ failures: inout Failures
    ) -> ProvenSignature? {
        for candidate in candidates(for: samples, given: given)
        where !withdrawn.isPart(of: candidate) && !failures.always.contains(candidate.id) {
            let result = proven(candidate, samples: samples, among: all, wire: wire)
            if result.proof.passed { return result }
            failures.add(result)
            // Whatever else is tried, it could not be looked for there, either.
            guard failures.unlooked.isEmpty else { return nil }
        }
        return nil
    }

    /// Proves one candidate. The check of its cluster's packets is complete only in
    /// ``conclude(_:failed:of:missed:)``: here, a candidate that matches none of them fails.
    ///
    /// - Parameters:
    ///   - samples: those that it was made of.
    ///   - all: with those that are set aside: where its bytes lie in them counts as well.
    private func proven(_ candidate: Signature, samples: [Sample], among all: [Sample], wire: WireEvidence) -> ProvenSignature {
        var proof = Proof(checks: FormChecks.checks(of: candidate, enough: material.enough))
        if proof.check(.wellFormed)?.outcome == .passed, !samples.contains(where: { $0.isMatched(by: candidate) }) {
            proof.insert(matchesSamples: FormChecks.matchesSamples(0, of: samples.count, passed: false))
        }
        if proof.passed {
            let places = all.lazy.compactMap { $0.place(of: candidate) }.prefix(Self.maxPlacedSamples)
            proof.checks += FormChecks.ofTheCode(Array(places))
        }
        // The expensive checks only for what passed so far.
        guard proof.passed else { return ProvenSignature(signature: candidate, proof: proof) }
        let packets = samples.count { $0.isMatched(by: candidate) }
        let found = independentChecks(of: candidate, wire: wire, packets: packets)
        proof.checks += found.checks
        return ProvenSignature(
            signature: found.signature, proof: proof, carriers: found.carriers, unlookedCaptures: found.unlookedCaptures)
    }

    /// Adds to each signature how much of the cluster it matches, and all of them together.
    private func conclude(
        _ proven: [ProvenSignature], failed: ProvenSignature?, of samples: [Sample], missed rest: [Sample]
    ) -> ProverResult {
        let missed = rest.count
        let isEnough = missed == 0 || ReporterShares(of: rest, among: samples).isWithin(material.noiseShare)
        let concluded = proven.map { item in
            var remark = ""
            if proven.count > 1 { remark += ", \(samples.count - missed) by its \(proven.count) signatures together" }
            if missed > 0 {
                remark += "; \(missed) missed, \(isEnough ? "within" : "beyond") the noise share of \(material.noiseShare)"
            }
            if samples.count == 1, material.goodware != nil {
                remark += "; what its variants would have in common is sought in goodware when a second packet comes"
            }
            var result = item
            let matched = samples.count { $0.isMatched(by: item.signature) }
            result.proof.insert(
                matchesSamples: FormChecks.matchesSamples(matched, of: samples.count, passed: isEnough, remark: remark))
            return result
        }
        return isEnough
            ? ProverResult(proven: concluded, failed: failed) : ProverResult(proven: [], failed: concluded.first ?? failed)
    }
}
