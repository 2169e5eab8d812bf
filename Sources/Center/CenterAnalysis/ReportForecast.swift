// SPDX-License-Identifier: Apache-2.0

import CenterStore
import Correlation
import EpitopeModel
import Scheduling
import SignatureMaking
import Signatures

/// What can be found out about a report of a group before those in front of it have their clusters: nearly all of the work, which is
/// done on all processors. The planner takes what applies in the end.
struct ReportForecast: Sendable {
    var report: StoredReport
    /// A failure when nothing can be made of the report.
    var assessment: Result<ReportAssessment, EpitopeError>
    /// The cluster with its very signature that was known before the group.
    var exact: Int64?
    /// The cluster that was known before the group and that its code is nearest to; looked for where there is no exact one.
    var nearest: Int64?
    /// By their place in the group: whether it is a variant of those that came just before it.
    var likeness: [Int: Bool] = [:]

    /// - Parameters:
    ///   - known: the clusters known before the group, as far as they are in memory.
    ///   - policy: what reports are assessed by.
    ///   - places: remembers which bytes of samples are code.
    ///   - stored: looks for the cluster of a signature in the store, which knows each.
    static func all(
        of reports: [StoredReport], knowing known: ClusterIndex, policy: AnalysisPolicy, places: CodePlaces = CodePlaces(),
        stored: (_ signatureID: String) throws -> Int64?
    ) rethrows -> [ReportForecast] {
        var forecasts = reports.concurrentMap { report in
            ReportForecast(report: report, assessment: Result { () throws(EpitopeError) in try ReportAssessment(report, by: policy) })
        }
        for index in forecasts.indices {
            guard case .success(let found) = forecasts[index].assessment else { continue }
            forecasts[index].exact = try known.exact(found.signatureID) ?? stored(found.signatureID)
        }
        forecasts = forecasts.concurrentMap { forecast in
            guard case .success(let found) = forecast.assessment, forecast.exact == nil else { return forecast }
            var forecast = forecast
            forecast.nearest = known.nearest(to: found.code ?? [])
            return forecast
        }
        let likely = likelyPairs(of: forecasts)
        let compared = likely.concurrentMap { [forecasts] pair -> [(Int, Bool)] in
            guard let sample = forecasts[pair.later].sample else { return [] }
            var similarity = CodeSimilarity(of: sample, places: places)
            return pair.earlier.compactMap { earlier in forecasts[earlier].sample.map { (earlier, similarity.isVariant(of: $0)) } }
        }
        for (pair, likeness) in zip(likely, compared) {
            forecasts[pair.later].likeness = Dictionary(likeness) { first, _ in first }
        }
        return forecasts
    }

    private var sample: Sample? { (try? assessment.get())?.sample }

    /// The reports that look like the first of their cluster, each with those before it that it will probably be compared with: the
    /// newest that came in the same way.
    private static func likelyPairs(of forecasts: [ReportForecast]) -> [(later: Int, earlier: [Int])] {
        var (seen, newest): (Set<String>, [Int]) = ([], [])
        return forecasts.indices.compactMap { index in
            guard case .success(let found) = forecasts[index].assessment, found.sample != nil, forecasts[index].exact == nil,
                forecasts[index].nearest == nil, seen.insert(found.signatureID).inserted
            else { return nil }
            let parts = Set(found.signature.context.parts)
            let earlier = newest.reversed().lazy.filter { other in
                guard case .success(let before) = forecasts[other].assessment else { return false }
                return !parts.isDisjoint(with: before.signature.context.parts)
            }.prefix(CodeSimilarity.maxClusters)
            newest.append(index)
            return (index, Array(earlier))
        }
    }
}
