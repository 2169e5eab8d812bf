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

/// Works out a group of reports on one state of the store: finds the cluster of each. All that takes time is done before
/// (``ReportForecast``) or here, off the one transaction at a time that can write.
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
    /// The newest packet of each cluster, as far as this group has one, with its place in the group.
    private var newest: [PlannedReport.Destination: (sample: Sample, place: Int)] = [:]

    /// What becomes of a group of reports, in their order.
    static func plan(
        _ reports: [StoredReport], knowing known: ClusterIndex, in transaction: StoreTransaction, samples: SampleCache,
        policy: AnalysisPolicy
    ) throws -> [PlannedReport] {
        // In memory are not all clusters: the store knows each by its first window.
        let forecasts = try ReportForecast.all(
            of: reports, knowing: known, policy: policy, places: samples.places, stored: transaction.clusterNumber(ofSignature:))
        return try plan(forecasts, knowing: known, in: transaction, samples: samples, policy: policy)
    }

    static func plan(
        _ forecasts: [ReportForecast], knowing known: ClusterIndex, in transaction: StoreTransaction, samples: SampleCache,
        policy: AnalysisPolicy
    ) throws -> [PlannedReport] {
        var planner = ReportPlanner(transaction: transaction, known: known, samples: samples, policy: policy)
        return try forecasts.enumerated().map { try planner.plan($1, at: $0) }
    }

    private init(transaction: StoreTransaction, known: ClusterIndex, samples: SampleCache, policy: AnalysisPolicy) {
        self.transaction = transaction
        self.known = known
        self.samples = samples
        self.policy = policy
    }

    private mutating func plan(_ forecast: ReportForecast, at place: Int) throws -> PlannedReport {
        let report = forecast.report
        let source = try policy.source(of: report.reporter, at: report.source, in: transaction)
        guard case .success(let assessment) = forecast.assessment else {
            return PlannedReport(report: report, source: source, assessment: forecast.assessment, destination: nil)
        }
        if let sample = assessment.sample { samples.add(sample, of: report.sequence) }
        let destination = try existing(for: assessment, forecast) ?? addCluster(of: assessment.signature, from: source)
        if let sample = assessment.sample { newest[destination] = (sample, place) }
        return PlannedReport(report: report, source: source, assessment: forecast.assessment, destination: destination)
    }

    /// The cluster that the report belongs to by its caller window, by a signature that matches its code, or as a
    /// variant by its code.
    private func existing(for assessment: ReportAssessment, _ forecast: ReportForecast) throws -> PlannedReport.Destination? {
        // Its own window comes before what is like it.
        if let id = forecast.exact { return .known(id) }
        // Reports are told apart in a group as they are one by one.
        if let number = added.exact(assessment.signatureID) { return Self.destination(number) }
        if let id = forecast.nearest { return .known(id) }
        if let number = added.nearest(to: assessment.code ?? []) { return Self.destination(number) }
        return try variant(assessment, forecast)
    }

    private func variant(_ assessment: ReportAssessment, _ forecast: ReportForecast) throws -> PlannedReport.Destination? {
        guard let sample = assessment.sample else { return nil }
        let context = assessment.signature.context
        let candidates = ClusterIndex.Candidate.choose(
            from: added.newest(of: context) + known.newest(of: context), limit: CodeSimilarity.maxClusters
        ).map { Self.destination($0.cluster) }
        var similarity: CodeSimilarity?
        return try candidates.first { candidate in
            if let likeness = newest[candidate].flatMap({ forecast.likeness[$0.place] }) { return likeness }
            guard let other = try newestSample(of: candidate) else { return false }
            var prepared = similarity ?? CodeSimilarity(of: sample, places: samples.places)
            defer { similarity = prepared }
            return prepared.isVariant(of: other)
        }
    }

    private func newestSample(of destination: PlannedReport.Destination) throws -> Sample? {
        if let sample = newest[destination]?.sample { return sample }
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
