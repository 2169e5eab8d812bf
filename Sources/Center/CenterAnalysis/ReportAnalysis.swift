// SPDX-License-Identifier: Apache-2.0

import CenterStore
import Correlation
import EpitopeModel
import SignatureMaking
import Signatures

/// One transaction's work on reports, each in the steps: assess, cluster, weigh, schedule. Where the threshold is
/// reached it requests a proof. The proof itself, which may read captures, is made outside of any transaction.
struct ReportAnalysis {
    let transaction: StoreTransaction
    let policy: AnalysisPolicy
    /// The clusters known before this transaction.
    let known: ClusterIndex
    let samples: SampleCache
    /// The clusters that this transaction added.
    private(set) var added: [(cluster: Cluster, reporter: String)] = []
    /// The clusters that a second reporter joined.
    private(set) var shared: [Int64] = []
    /// Whether the site's counter had reached the threshold before the report that is analysed.
    private var wasReached = false
    private var addedIndex = ClusterIndex()

    init(transaction: StoreTransaction, policy: AnalysisPolicy, known: ClusterIndex, samples: SampleCache) {
        self.transaction = transaction
        self.policy = policy
        self.known = known
        self.samples = samples
    }

    mutating func analyse(_ report: StoredReport) throws {
        guard let assessment = try assess(report) else { return }
        let cluster = try assignCluster(to: assessment, of: report)
        let decision = try weigh(assessment, of: report, in: cluster)
        if decision.isReached {
            let proofs = ProofScheduler(transaction: transaction, policy: policy)
            for reached in try clustersReached(with: cluster) {
                try proofs.schedule(for: reached, newest: reached.id == cluster.id ? assessment.code : nil)
            }
        }
        try ForwardScheduler(transaction: transaction, policy: policy)
            .schedule(for: cluster.id, isThresholdReached: decision.isReached)
    }

    /// - Returns: `nil` when the report can't be analysed: it is marked, and those behind it go on.
    private func assess(_ report: StoredReport) throws -> ReportAssessment? {
        let assessment: ReportAssessment
        do {
            assessment = try ReportAssessment(report)
        } catch {
            try transaction.markUnusable(report, reason: error.description)
            try transaction.record(.unusable, report.id, error.description)
            return nil
        }
        try transaction.record(.signed, report.id, "\(assessment.signature.id), \(assessment.signatureSource)")
        if let sample = assessment.sample { samples.add(sample, of: report.sequence) }
        return assessment
    }
}

// MARK: Clustering

extension ReportAnalysis {
    private mutating func assignCluster(to assessment: ReportAssessment, of report: StoredReport) throws -> Cluster {
        let cluster = try existingCluster(for: assessment) ?? addCluster(of: assessment.signature, by: report.reporter)
        try transaction.record(.clustered, report.id, "cluster \(cluster.id) of signature \(cluster.signature.id)")
        try transaction.markAnalysed(report, in: cluster.id, kinds: Set(assessment.evidence.map(\.kind)))
        if assessment.sample != nil { try transaction.countPacket(of: cluster.id) }
        return cluster
    }

    /// The cluster that the report belongs to by its caller window, by a signature that matches its code, or as a
    /// variant by its code. Its context is widened by the report's.
    private func existingCluster(for assessment: ReportAssessment) throws -> Cluster? {
        let (signature, code) = (assessment.signature, assessment.code ?? [])
        // In memory are not all clusters, and some that were pruned since: the store knows each by its first window.
        guard
            var cluster = try known.cluster(for: signature, sample: code).flatMap(transaction.cluster)
                ?? transaction.cluster(ofSignature: signature.id)
                ?? (addedIndex.nearest(to: code) ?? clusterOfVariant(assessment)).flatMap(transaction.cluster)
        else { return nil }
        let merged = cluster.signature.context.merged(with: signature.context)
        if merged != cluster.signature.context {
            cluster.signature.context = merged
            try transaction.update(cluster)
        }
        return cluster
    }

    private func clusterOfVariant(_ assessment: ReportAssessment) throws -> Int64? {
        guard let sample = assessment.sample else { return nil }
        let (context, limit) = (assessment.signature.context, CodeSimilarity.maxClusters)
        let newest = addedIndex.newest(of: context, limit: limit) + known.newest(of: context, limit: limit)
        return try newest.prefix(limit).first { cluster in
            try samples.newest(1, of: cluster, in: transaction).contains { CodeSimilarity.isVariant(sample, of: $0) }
        }
    }

    private mutating func addCluster(of signature: Signature, by reporter: String) throws -> Cluster {
        let cluster = try transaction.addCluster(of: signature)
        addedIndex.add(cluster: cluster.id, signature: cluster.signature)
        added.append((cluster, reporter))
        return cluster
    }
}

// MARK: Weighing

extension ReportAnalysis {
    private mutating func weigh(
        _ assessment: ReportAssessment, of report: StoredReport, in cluster: Cluster
    ) throws -> ThresholdDecision {
        let threshold = policy.threshold
        let before = try transaction.weight(of: cluster.id).reporters
        let ofCluster = try transaction.add(assessment.evidence, to: .cluster(cluster.id), by: threshold)
        let now = try transaction.weight(of: cluster.id).reporters
        if before == 1, now > 1 {
            try transaction.shareProof(of: cluster.id)
            shared.append(cluster.id)
        }
        try GradeKeeper(transaction: transaction, policy: policy).raise(for: cluster, from: before, to: now)
        let siteBefore = try threshold.counter == .site ? transaction.add([], to: .site, by: threshold).points : 0
        let sum = threshold.counter == .site ? try transaction.add(assessment.evidence, to: .site, by: threshold) : ofCluster
        let decision = threshold.decide(sum)
        wasReached = threshold.counter == .site && siteBefore >= threshold.points
        try transaction.record(
            .weighed, report.id,
            "\(decision.points) of \(threshold.points) points" + (decision.isReached ? ", threshold reached" : ""))
        return decision
    }

    /// The clusters that an update is due for. When the site's one counter reaches the threshold, that is every cluster that
    /// brought evidence to it; while it stays there, each with its own packets.
    private func clustersReached(with cluster: Cluster) throws -> [Cluster] {
        guard policy.threshold.counter == .site, !wasReached else { return [cluster] }
        let start = policy.threshold.windowStart(nowMilliseconds: transaction.nowMilliseconds)
        return try transaction.clustersWithEvidence(after: start)
    }
}
