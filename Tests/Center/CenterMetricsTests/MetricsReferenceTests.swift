// SPDX-License-Identifier: Apache-2.0

import CenterMetrics
import Foundation
import TestSupport
import Testing

@Suite("What is documented of metrics is what there is")
struct MetricsReferenceTests {
    private static let place = "\(PackageFolder.path)/Documentation/Reference/Metrics.md"

    private func cell(_ text: String) -> String { text.replacing("|", with: "\\|") }

    private func code(_ texts: [String]) -> String { texts.map { "`\($0)`" }.joined(separator: ", ") }

    private var page: String {
        let metrics = CenterMetric.allCases.map { metric in
            let text = metric.description
            let kind = metric.kind.rawValue + (text.unit.isEmpty ? "" : ", \(text.unit)")
            return "| `\(metric.rawValue)` | \(kind) | \(code(text.labels)) | \(cell(text.help)) | \(cell(text.alarm)) |"
        }
        let reasons = Readiness.Code.allCases.map {
            "| `\($0.rawValue)` | \($0.isDegraded ? "200, degraded" : "503, not ready") | \(cell($0.meaning)) |"
        }
        return """
            # Metrics

            <!-- Made by MetricsReferenceTests from the sources; edits are lost. To write it anew, run them with EPITOPE_WRITE_REFERENCES=1. -->

            `serve --metrics ADDRESS` of both centers serves `/metrics` (Prometheus's text format 0.0.4), `/live` and `/ready`. How to set that
            up is in [Center.md](../Operating/Center.md#watching-a-center), and alert rules are in
            [prometheus-alerts.yml](../../Examples/prometheus-alerts.yml).

            Counters begin at 0 when the center starts. To be asked costs a center some milliseconds, whatever its store holds: what is read
            from the store is at most 3 seconds old, and counted up to \(StoreSample.maxCount), so that this number means "at least".

            | metric | type, unit | labels | meaning | look when |
            | --- | --- | --- | --- | --- |
            \(metrics.joined(separator: "\n"))

            ## What is lost
            The label `what` of `\(CenterMetric.lost.rawValue)`:

            | what | meaning |
            | --- | --- |
            \(CenterLoss.allCases.map { "| `\($0.rawValue)` | \(cell($0.meaning)) |" }.joined(separator: "\n"))

            ## Why connections end
            The label `reason` of `\(CenterMetric.connectionsEnded.rawValue)`:

            | reason | meaning |
            | --- | --- |
            \(ConnectionEnd.allCases.map { "| `\($0.rawValue)` | \(cell($0.meaning)) |" }.joined(separator: "\n"))

            ## Other labels
            | label | values |
            | --- | --- |
            | `kind` of messages | \(code(MessageKind.allCases.map(\.rawValue))) |
            | `kind` of `\(CenterMetric.removed.rawValue)` | \(code(RetainedKind.allCases.map(\.rawValue))) |
            | `lane` | \(code(CenterLane.allCases.map(\.rawValue))) |
            | `outcome` of proofs | \(code(ProofEnd.allCases.map(\.rawValue))) |
            | `outcome` of regions | \(code(RegionEnd.allCases.map(\.rawValue))) |
            | `outcome` of polls of peers | \(code(PeerPollEnd.allCases.map(\.rawValue))) |
            | `outcome` of entries of peers | \(code(PeerEntryEnd.allCases.map(\.rawValue))) |
            | `for` of certificates | \(code(IssuedFor.allCases.map(\.rawValue))) |
            | `path`, `code` | the path of a request, and an [error code](ErrorCodes.md); `other` for what is seldom or unknown |
            | `step` | a step of `events` |

            ## Readiness
            `/ready` answers with 200 and `{"status":"ready",...}` or `"degraded"`, or with 503 and `"not-ready"`. `reasons` has why it is not
            ready, `degraded` what fails beside that, each with its `code`, and where it says more the `part` of the work and the `cause`, the
            error code behind it.

            | code | answer | meaning |
            | --- | --- | --- |
            \(reasons.joined(separator: "\n"))

            ## Liveness
            `/live` answers with 200 and `{"status":"alive","stuck":[]}` while the center's loops turn; with 503 when one has not turned for five
            times as long as makes it `lane-wedged`, or when the threads that all share have run nothing for 60 seconds (`pool`). Then start the
            center anew: nothing that was acknowledged is lost.

            """
    }

    @Test func `the page has every metric, every reason and every label`() throws {
        if ProcessInfo.processInfo.environment["EPITOPE_WRITE_REFERENCES"] == "1" {
            try Data(page.utf8).write(to: URL(filePath: Self.place))
        }
        let written = try String(contentsOfFile: Self.place, encoding: .utf8)
        let difference = zip(
            page.split(separator: "\n", omittingEmptySubsequences: false), written.split(separator: "\n", omittingEmptySubsequences: false)
        )
        .first { $0 != $1 }
        #expect(page == written, "the first line that differs should be: \(difference.map { String($0.0) } ?? "at the end")")
    }

    @Test(arguments: ["Examples/prometheus-alerts.yml", "Examples/prometheus.yml", "Documentation/Operating/Center.md"])
    func `no file names a metric that there is not`(file: String) throws {
        let text = try String(contentsOfFile: "\(PackageFolder.path)/\(file)", encoding: .utf8)
        let known = Set(CenterMetric.allCases.map(\.rawValue))
        for name in text.matches(of: /epitope_center_[a-z_]+/) { #expect(known.contains(String(name.0)), "\(name.0)") }
    }
}
