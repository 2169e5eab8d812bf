// SPDX-License-Identifier: Apache-2.0

import CenterStore
import Correlation
import EpitopeModel
import SignatureMaking
import SignatureProving
import Signatures

/// A cluster whose signatures are to be made and proven, with its packets.
struct VerificationTask: Sendable {
    var cluster: Cluster
    /// Oldest first, some of each reporter; empty if only a site's update came, or if all are left out.
    var samples: [Sample]
    /// Signatures of the cluster that are not to be made again.
    var withdrawn: [Signature]
    /// Whether there is nothing to make: all that the cluster holds is what a withdrawn signature was made of.
    var isVoid: Bool { samples.isEmpty && (packets > 0 || withdrawn.contains { $0.id == cluster.signature.id }) }
    /// Whose packets they all are; `nil`: several reporters', or there are none.
    var soleSource: ReportSource? {
        let reporters = Set(samples.map(\.reporter))
        return reporters.count == 1 ? reporters.first.flatMap { $0 }.map { ReportSource(reporter: $0, machine: nil) } : nil
    }
    /// The oldest packets, where the cluster holds more than ``samples``.
    var oldest: [Sample]
    /// All packets that the cluster held when this was read.
    var packets: Int
    /// The cluster's reporters then, and how many of its newest packets each sent.
    var reporters = 0
    var ofReporter: [String: Int] = [:]
    /// The updates made of the cluster's packets that are in force or on their way.
    var standing: [StoredUpdate]
    /// What Suricata said of the cluster's signatures.
    var answers: [EngineQuestion: Proof.Check] = [:]
}

/// A task with its outcome.
struct CompletedVerification: Sendable {
    var task: VerificationTask
    var outcome: ProverResult
    /// For each proven signature, the numbers of the updates whose place it takes.
    var revised: [[Int64]]
    /// Who speaks for each proven signature, and for each in force, by its id.
    private let supporters: [String: Supporters]

    /// Who speaks for a signature.
    func supporters(of signatureID: String) -> Supporters { supporters[signatureID] ?? Supporters() }

    init(task: VerificationTask, outcome: ProverResult) {
        self.task = task
        self.outcome = outcome
        let signatures = outcome.proven.map(\.signature) + task.standing.map(\.update.signature)
        supporters = Dictionary(signatures.map { ($0.id, Supporters(of: $0, among: task.samples)) }) { first, _ in first }
        let builder = UpdateBuilder(lifetimeDays: 1, nowMilliseconds: 0)
        let proven = outcome.proven.map { item in
            var signature = item.signature
            signature.context = builder.context(
                in: task.cluster, searchedIn: item.signature.context.buffers, revising: task.standing.map(\.update))
            return (signature: signature, proof: item.proof)
        }
        revised = RevisionDecision.revised(
            by: proven, standing: task.standing.map(\.update), packets: (task.oldest + task.samples).map(\.code.bytes)
        ).map { $0.map { task.standing[$0].id } }
    }
}

/// The requested proofs, as the store has them.
struct ProofQueue: Sendable {
    /// The number of a cluster's packets that its signatures are made of.
    private static let maxSamples = 256
    /// The number of packets that those are chosen from, the newest.
    private static let maxConsidered = 1024
    /// The number of a cluster's oldest packets that a signature must match, too, before it takes another one's place.
    private static let maxOldest = 32
    /// The number of a cluster's updates that new ones may take the place of, the oldest.
    private static let maxStanding = FeedEntry.maxRevised

    let store: CenterStore
    var policy: AnalysisPolicy
    let samples: SampleCache

    /// The material of proofs for which there was something that could not be looked at: they are asked for again with any other.
    private static let unlookedMaterial = "not all captures could be looked at"

    /// Of the requested proofs so many are looked at for whose turn is next.
    private static let maxPending = 1024

    /// The clusters whose proof is requested, what weighs most first, each with whose turn it is made in.
    ///
    /// - Parameter requeuedFor: names the material that signatures are proven with now, if it changed: proofs that
    ///   found no signature with other material are requested again.
    func pending(requeuedFor material: String?) async throws(EpitopeError) -> [(cluster: Int64, holders: [String])] {
        if let material { try await store.transaction { try $0.requeueUnproven(material: material) } }
        return try await store.snapshot { try $0.pendingProofs(limit: Self.maxPending) }.map { ($0.cluster, $0.sources.map(\.holder)) }
    }

    /// - Returns: `nil` when the cluster was pruned, or can't be read: its proof is asked for again by the attack's next report, which
    ///   mends it.
    func task(for id: Int64) async throws(EpitopeError) -> VerificationTask? {
        let (samples, policy) = (samples, policy)
        let task = try await store.snapshot { transaction -> VerificationTask? in
            guard let cluster = try transaction.readableCluster(id) else { return nil }
            let count = try transaction.packetsSoFar(of: id)
            let more = max(0, min(count - Self.maxSamples, Self.maxOldest))
            let latest = try transaction.latestUpdates(of: cluster)
            let standing = latest.filter { $0.state == .proven && $0.cluster == id }
            var withdrawn = latest.filter { $0.state == .withdrawn }.map(\.update.signature)
            if try transaction.withdrawalReason(of: cluster.signature.id) != nil { withdrawn.append(cluster.signature) }
            let packets = try transaction.newestPacketsWithReporters(of: id, limit: Self.maxConsidered)
            let holders = try policy.holders(of: packets, in: transaction)
            let chosen = SampleChoice.choose(from: packets, limit: Self.maxSamples) { holders[$0] ?? $0.reporter }
            let wanted = try samples.samples(chosen, in: transaction, by: { holders[$0] ?? $0.reporter }).filter { sample in
                !withdrawn.contains { sample.isOrigin(of: $0) }
            }
            return VerificationTask(
                cluster: cluster, samples: wanted, withdrawn: withdrawn,
                oldest: more > 0 ? try samples.oldest(more, of: id, in: transaction) : [], packets: count,
                reporters: try transaction.weight(of: id).reporters, ofReporter: policy.newestPackets(packets, holders),
                standing: Array(standing.prefix(Self.maxStanding)), answers: Self.answers(of: latest))
        }
        if task == nil { try await store.transaction { try $0.forgetUnreadableProof(of: id) } }
        return task
    }

    private static func answers(of latest: [StoredUpdate]) -> [EngineQuestion: Proof.Check] {
        var answers: [EngineQuestion: Proof.Check] = [:]
        for stored in latest {
            guard let check = stored.update.proof.check(.engineFires), check.outcome != .notChecked else { continue }
            answers[EngineQuestion(stored.update.signature)] = check
        }
        return answers
    }

    /// Stores outcomes with their updates in one transaction, and marks the proofs as made.
    func complete(_ completed: [CompletedVerification], material: String) async throws(EpitopeError) {
        let (policy, samples) = (policy, samples)
        try await store.transaction { transaction in
            for item in completed {
                // Read again: the context may have widened since.
                guard let cluster = try transaction.readableCluster(item.task.cluster.id) else { continue }
                let waits = try DeliveryScheduler(transaction: transaction, policy: policy).schedule(item, of: cluster)
                let isDueAgain = try Self.missesNewer(than: item.task, policy: policy, samples: samples, in: transaction)
                try transaction.completeProof(
                    of: cluster.id, packets: item.task.packets,
                    material: item.outcome.unlookedCaptures.isEmpty ? material : Self.unlookedMaterial, isDueAgain: isDueAgain)
                guard !isDueAgain else { continue }
                // What waits for supporters as well is looked at with what the quota lets through.
                if let claim = waits.claim {
                    _ = try transaction.holdProof(of: cluster.id, for: claim)
                } else if waits.isForSupporters {
                    _ = try transaction.holdProof(of: cluster.id)
                }
            }
        }
    }

    /// Whether no signature in force matches a packet that came in while the proof was made; or whether, where none is in force, the
    /// cluster has grown so much that another attempt is due.
    private static func missesNewer(
        than task: VerificationTask, policy: AnalysisPolicy, samples: SampleCache, in transaction: StoreTransaction
    ) throws -> Bool {
        let more = try transaction.packetsSoFar(of: task.cluster.id) - task.packets
        guard more > 0 else { return false }
        let standing = try transaction.latestUpdates(of: task.cluster).filter { $0.state == .proven }
        guard !standing.isEmpty else {
            let reporters = try transaction.weight(of: task.cluster.id).reporters
            let ofReporter = reporters <= ProofDecision.maxVoices ? try policy.newestPackets(of: task.cluster.id, in: transaction) : [:]
            return ProofDecision.isGrown(
                from: .init(packets: task.packets, reporters: task.reporters, ofReporter: task.ofReporter),
                to: .init(packets: task.packets + more, reporters: reporters, ofReporter: ofReporter))
        }
        return try samples.newest(min(more, maxSamples), of: task.cluster.id, in: transaction).contains { sample in
            !standing.contains { $0.update.signature.matches(sample.code.bytes) }
        }
    }
}

extension AnalysisPolicy {
    /// The number of a cluster's newest packets that are told apart by who sent them.
    private static let maxToldApart = 256

    /// How many of a cluster's newest packets each sent who counts as one.
    func newestPackets(of cluster: Int64, in transaction: StoreTransaction) throws -> [String: Int] {
        let packets = try transaction.newestPacketsWithReporters(of: cluster, limit: Self.maxToldApart)
        return newestPackets(packets, try holders(of: packets, in: transaction))
    }

    /// - Parameter packets: at least as many as are told apart, the newest first.
    func newestPackets(_ packets: [ReportedPacket], _ holders: [ReportedPacket: String]) -> [String: Int] {
        packets.prefix(Self.maxToldApart).reduce(into: [:]) { $0[holders[$1] ?? $1.reporter, default: 0] += 1 }
    }

    /// Who the reporter of each packet counts as in a proof: one by all its names.
    fileprivate func holders(of packets: [ReportedPacket], in transaction: StoreTransaction) throws -> [ReportedPacket: String] {
        var known: [String: String] = [:]
        return try packets.reduce(into: [:]) { holders, packet in
            let key = packet.reporter + (packet.address.map { " at \($0)" } ?? "")
            let holder = try known[key] ?? source(of: packet.reporter, at: packet.address, in: transaction).holder
            known[key] = holder
            holders[packet] = holder
        }
    }
}

extension Sample {
    /// Whether a withdrawn signature was made of such a packet: its bytes are those at the call, or there are several tokens. A packet
    /// that only carries the bytes elsewhere is another attack's.
    fileprivate func isOrigin(of signature: Signature) -> Bool {
        signature.matches(code.bytes) && (signature.tokens.count > 1 || place(of: signature) == .atCall)
    }
}
