// SPDX-License-Identifier: Apache-2.0

public import CenterStore
public import EpitopeModel
public import Scheduling

/// Takes in a center's reports: checks each, stores it, and wakes the analysis.
public struct ReportReceiver: Sendable {
    private let store: CenterStore
    private let analysisSignal: WakeUpSignal

    /// - Parameter analysisSignal: wakes the analysis.
    public init(store: CenterStore, analysisSignal: WakeUpSignal) {
        self.store = store
        self.analysisSignal = analysisSignal
    }

    /// Accepts a report. When this returns, the report is on the disk.
    ///
    /// - Throws: what ``ReportCheck`` throws, `disk-full`, `store-busy`, `store-failed`, `store-unusable`. After an
    ///   error the sender must keep the report.
    public func accept(_ report: Report) async throws(EpitopeError) -> Receipt {
        try ReportCheck.check(report)
        let receipt = try await store.add(report)
        if !receipt.wasKnown { analysisSignal.send() }
        return receipt
    }

    /// Code that the store has, by its SHA-256.
    public func code(digest: [UInt8]) async throws(EpitopeError) -> [UInt8]? {
        try await store.code(digest: digest)
    }

    /// Notes what a host withheld.
    public func note(_ counts: WithheldCounts, of host: Identity) async throws(EpitopeError) {
        try await store.note(counts, of: host)
    }
}
