// SPDX-License-Identifier: Apache-2.0

import CenterStore
import Correlation
import EpitopeModel
import SignatureMaking
import Signatures

/// One transaction's work on reports that were worked out before (``ReportPlanner``): writes what was found, weighs, and where the
/// threshold is reached requests a proof. The proof itself, which may read captures, is made outside of any transaction.
struct ReportAnalysis {
    let transaction: StoreTransaction
    let policy: AnalysisPolicy
    /// The clusters that this transaction added.
    private(set) var added: [(cluster: Cluster, source: ReportSource)] = []
    /// The clusters that a second reporter joined.
    private(set) var shared: [Int64] = []
    /// The clusters whose updates in force may rest on more now, since reporters joined.
    private(set) var joined: Set<Int64> = []
    /// The numbers that new clusters of the group got.
    private var numbers: [Int: Int64] = [:]
    /// What is allowed; `nil`: it was not asked for yet.
    private var allowances: Allowances?
    /// Whether the site's counter had reached the threshold before the report that is analysed.
    private var wasReached = false

    init(transaction: StoreTransaction, policy: AnalysisPolicy) {
        self.transaction = transaction
        self.policy = policy
    }

    mutating func analyse(_ planned: PlannedReport) throws {
        let report = planned.report
        guard let (assessment, destination) = try accept(planned) else { return }
        let source = planned.source
        let cluster = try assign(assessment, of: report, from: source, to: destination)
        let (sum, number) = try weigh(assessment, of: report, from: source, in: cluster)
        let isReached = policy.threshold.decide(sum).isReached
        let reached = isReached ? try clustersReached(with: cluster) : []
        let proofs = ProofScheduler(transaction: transaction, policy: policy)
        for reached in reached {
            try proofs.schedule(
                for: reached, newest: reached.id == cluster.id ? assessment.code : nil, reportedBy: source,
                joinedAs: reached.id == cluster.id ? number : nil)
        }
        let forwards = ForwardScheduler(transaction: transaction, policy: policy)
        for id in Set(reached.map(\.id)).union([cluster.id]).sorted() {
            try forwards.schedule(for: id, concludedFrom: isReached ? sum : nil)
        }
    }

    /// - Returns: `nil` when the report can't be analysed: it is marked, and those behind it go on.
    private mutating func accept(_ planned: PlannedReport) throws -> (ReportAssessment, PlannedReport.Destination)? {
        let report = planned.report
        switch planned.assessment {
        case .failure(let error):
            try transaction.markUnusable(report, reason: error.description)
            try transaction.record(.unusable, report.id, error.description)
            return nil
        case .success(let assessment):
            guard let destination = planned.destination else { return nil }
            if let reason = try allowance(of: report) {
                try transaction.markUnusable(report, reason: reason)
                try transaction.record(.unusable, report.id, reason)
                return nil
            }
            try transaction.record(.signed, report.id, "\(assessment.signatureID), \(assessment.signatureSource)")
            return (assessment, destination)
        }
    }
}

// MARK: What is allowed

extension ReportAnalysis {
    /// Why nothing is to be made of a report that is well by itself; `nil`: it counts.
    private mutating func allowance(of report: StoredReport) throws -> String? {
        let known = try allowances ?? transaction.allowances()
        allowances = known
        guard !known.isEmpty, case .success(.packet(let packet, _)) = report.content,
            let reason = known.reason(for: packet, of: report.reporter)
        else { return nil }
        try transaction.learnAllowedCode(of: packet, in: known)
        return reason
    }
}

// MARK: Clustering

extension ReportAnalysis {
    private mutating func assign(
        _ assessment: ReportAssessment, of report: StoredReport, from source: ReportSource, to destination: PlannedReport.Destination
    ) throws -> Cluster {
        let cluster = try existingCluster(destination, for: assessment) ?? addCluster(of: assessment.signature, from: source)
        if case .new(let number) = destination { numbers[number] = cluster.id }
        try transaction.record(.clustered, report.id, "cluster \(cluster.id) of signature \(cluster.signature.id)")
        try transaction.markAnalysed(report, in: cluster.id, kinds: Set(assessment.evidence.map(\.kind)))
        if assessment.sample != nil { try transaction.countPacket(of: cluster.id) }
        return cluster
    }

    /// The cluster that the report was found to belong to, unless it was pruned since. Its context is widened by the report's.
    private func existingCluster(_ destination: PlannedReport.Destination, for assessment: ReportAssessment) throws -> Cluster? {
        let id: Int64? =
            switch destination {
            case .known(let id): id
            case .new(let number): numbers[number]
            }
        let signature = assessment.signature
        guard
            var cluster = try id.flatMap({ try readable($0, or: signature) })
                ?? transaction.clusterNumber(ofSignature: assessment.signatureID).flatMap({ try readable($0, or: signature) })
        else { return nil }
        let merged = cluster.signature.context.merged(with: signature.context)
        if merged != cluster.signature.context {
            cluster.signature.context = merged
            try transaction.update(cluster)
        }
        return cluster
    }

    /// A cluster; with the signature of the report if its own can't be read: that must not hold up the attack.
    private func readable(_ id: Int64, or signature: Signature) throws -> Cluster? {
        do {
            return try transaction.cluster(id)
        } catch is EpitopeError {
            let cluster = Cluster(id: id, signature: signature)
            try transaction.update(cluster)
            return cluster
        }
    }

    private mutating func addCluster(of signature: Signature, from source: ReportSource) throws -> Cluster {
        let cluster = try transaction.addCluster(of: signature)
        added.append((cluster, source))
        return cluster
    }
}

// MARK: Weighing

extension ReportAnalysis {
    /// - Returns: what the evidence adds up to that counts, of the cluster or of the site; with the number of who reported among the
    ///   cluster's reporters, if it joined them now.
    private mutating func weigh(
        _ assessment: ReportAssessment, of report: StoredReport, from source: ReportSource, in cluster: Cluster
    ) throws -> (EvidenceSum, joinedAs: Int?) {
        let threshold = policy.threshold
        func evidence(in scope: EvidenceScope) throws -> [WeighedEvidence] {
            let reporter = policy.countsMachines ? try transaction.reporter(countedFor: source, in: scope) : source.reporter
            return assessment.evidence(countedFor: reporter, at: source.machine)
        }
        // First: where the site's sum is made anew, it is made of the clusters' evidence, which is not to have the report's yet.
        let siteBefore = try threshold.counter == .site ? transaction.add([], to: .site, by: threshold).points : 0
        let before = try transaction.weight(of: cluster.id)
        let added = try evidence(in: .cluster(cluster.id))
        let ofCluster = try transaction.add(added, to: .cluster(cluster.id), by: threshold)
        let now = try transaction.weight(of: cluster.id)
        if before.reporters == 1, now.reporters > 1 { shared.append(cluster.id) }
        if before.reporters > 0, now.reporters > before.reporters {
            try ProofScheduler(transaction: transaction, policy: policy).share(cluster.id, with: source)
        }
        if now != before { try transaction.reweigh(cluster.id, as: now) }
        if now.reporters > before.reporters,
            try GradeKeeper(transaction: transaction, policy: policy).isLookDue(at: cluster, reporters: now.reporters)
        {
            joined.insert(cluster.id)
        }
        let sum = threshold.counter == .site ? try transaction.add(evidence(in: .site), to: .site, by: threshold) : ofCluster
        let decision = threshold.decide(sum)
        wasReached = threshold.counter == .site && siteBefore >= threshold.points
        let other = added.first.map(\.reporter).flatMap { $0 == source.reporter ? nil : $0 }
        try transaction.record(
            .weighed, report.id,
            "\(decision.points) of \(threshold.points) points" + (decision.isReached ? ", threshold reached" : "")
                + (assessment.conclusion.map { "; the site concluded: \($0.summary)" } ?? "")
                + (other.map { "; it counts as \($0), which reported from the same address" } ?? ""))
        return (sum, now.reporters > before.reporters ? now.reporters : nil)
    }

    /// The clusters that an update is due for. When the site's one counter reaches the threshold, that is every cluster that
    /// brought evidence to it; while it stays there, each with its own packets.
    private func clustersReached(with cluster: Cluster) throws -> [Cluster] {
        guard policy.threshold.counter == .site, !wasReached else { return [cluster] }
        let start = policy.threshold.windowStart(nowMilliseconds: transaction.nowMilliseconds)
        return try transaction.clustersWithEvidence(after: start)
    }
}
