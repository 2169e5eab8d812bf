// SPDX-License-Identifier: Apache-2.0

import CenterStore
import Correlation
import EpitopeModel
import SignatureMaking
import SignatureProving
import Signatures

/// A report with what was found out about it, before anything is written.
struct PlannedReport: Sendable {
    /// The cluster that a report goes to.
    enum Destination: Hashable, Sendable {
        case known(Int64)
        /// One that this group of reports makes, by its number in the group.
        case new(Int)
    }

    var report: StoredReport
    /// Who sent it, and from where.
    var source: ReportSource
    /// A failure when nothing can be made of the report.
    var assessment: Result<ReportAssessment, EpitopeError>
    /// `nil` where nothing can be made of it.
    var destination: Destination?
}

/// Works out a group of reports on one state of the store: decodes and assesses each, and finds its cluster. All that takes time
/// is here, off the one transaction at a time that can write.
struct ReportPlanner {
    /// The numbers of new clusters in their index, above all that a store has: of several that match, the oldest takes a packet.
    private static let firstNumber: Int64 = 1 << 62

    let transaction: StoreTransaction
    /// The clusters known before this group.
    let known: ClusterIndex
    let samples: SampleCache
    let policy: AnalysisPolicy
    private var added = ClusterIndex()
    private var addedCount = 0
    /// The newest packet of each cluster, as far as this group has one.
    private var newest: [PlannedReport.Destination: Sample] = [:]

    init(transaction: StoreTransaction, known: ClusterIndex, samples: SampleCache, policy: AnalysisPolicy) {
        self.transaction = transaction
        self.known = known
        self.samples = samples
        self.policy = policy
    }

    mutating func plan(_ report: StoredReport) throws -> PlannedReport {
        let source = try policy.source(of: report.reporter, at: report.source, in: transaction)
        let assessed = Result { () throws(EpitopeError) in try ReportAssessment(report) }
        guard case .success(let assessment) = assessed else {
            return PlannedReport(report: report, source: source, assessment: assessed, destination: nil)
        }
        if let sample = assessment.sample { samples.add(sample, of: report.sequence) }
        let destination = try existing(for: assessment) ?? addCluster(of: assessment.signature, from: source)
        if let sample = assessment.sample { newest[destination] = sample }
        return PlannedReport(report: report, source: source, assessment: assessed, destination: destination)
    }

    /// The cluster that the report belongs to by its caller window, by a signature that matches its code, or as a
    /// variant by its code.
    private func existing(for assessment: ReportAssessment) throws -> PlannedReport.Destination? {
        let (signature, code) = (assessment.signature, assessment.code ?? [])
        // In memory are not all clusters: the store knows each by its first window, which is looked for before what is like it.
        if let id = try known.exact(signature) ?? transaction.clusterNumber(ofSignature: signature.id) { return .known(id) }
        // Reports are told apart in a group as they are one by one.
        if let number = added.exact(signature) { return Self.destination(number) }
        if let id = known.nearest(to: code) { return .known(id) }
        if let number = added.nearest(to: code) { return Self.destination(number) }
        return try variant(assessment)
    }

    private func variant(_ assessment: ReportAssessment) throws -> PlannedReport.Destination? {
        guard let sample = assessment.sample else { return nil }
        let context = assessment.signature.context
        let candidates = ClusterIndex.Candidate.choose(
            from: added.newest(of: context) + known.newest(of: context), limit: CodeSimilarity.maxClusters)
        guard !candidates.isEmpty else { return nil }
        let similarity = CodeSimilarity(of: sample)
        return try candidates.map { Self.destination($0.cluster) }.first { candidate in
            try newestSample(of: candidate).map(similarity.isVariant) ?? false
        }
    }

    private func newestSample(of destination: PlannedReport.Destination) throws -> Sample? {
        if let sample = newest[destination] { return sample }
        guard case .known(let id) = destination else { return nil }
        return try samples.newest(1, of: id, in: transaction).first
    }

    private mutating func addCluster(of signature: Signature, from source: ReportSource) -> PlannedReport.Destination {
        let number = addedCount
        addedCount += 1
        added.add(cluster: Self.firstNumber + Int64(number), signature: signature, from: source, isShared: false)
        return .new(number)
    }

    private static func destination(_ number: Int64) -> PlannedReport.Destination {
        number >= firstNumber ? .new(Int(number - firstNumber)) : .known(number)
    }
}
