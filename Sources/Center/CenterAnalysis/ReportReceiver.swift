// SPDX-License-Identifier: Apache-2.0

public import CenterStore
public import EpitopeModel
import PacketCoding
public import Scheduling

/// Takes in a center's reports: checks each, stores it, and wakes the analysis.
public struct ReportReceiver: Sendable {
    private let store: CenterStore
    private let analysisSignal: WakeUpSignal
    private let intake: IntakeBook
    private let extractor: RegionExtractor

    /// - Parameters:
    ///   - analysisSignal: wakes the analysis.
    ///   - megabytesPerReporter: what one reporter may have stored in a day.
    ///   - extractor: takes out of regions what hosts leave to the center; `nil`: by the usual amounts, and without goodware.
    public init(
        store: CenterStore, analysisSignal: WakeUpSignal, megabytesPerReporter: Int = AnalysisSettings.defaultMegabytesPerReporter,
        extractor: RegionExtractor? = nil
    ) {
        self.extractor = extractor ?? RegionExtractor()
        self.store = store
        self.analysisSignal = analysisSignal
        intake = IntakeBook(megabytes: megabytesPerReporter)
    }

    /// Gives every reporter another share of the disk from now on.
    public func follow(megabytesPerReporter: Int) { intake.follow(megabytes: megabytesPerReporter) }

    /// Accepts a report. When this returns, the report is on the disk.
    ///
    /// A region that is left to the center counts for its sender's share as it came in, whatever is stored of it.
    ///
    /// - Throws: what ``ReportCheck`` throws, `caller-outside-code`, `packet-malformed`, `sender-over-share`, `disk-full`, `store-busy`, `sender-busy`, `store-failed`,
    ///   `store-unusable`. After an error the sender must keep the report.
    public func accept(_ report: Report) async throws(EpitopeError) -> Receipt {
        try ReportCheck.check(report)
        let address = report.address
        try intake.take(report.bytes, of: report.sender, at: address)
        do throws(EpitopeError) {
            let receipt = try await store.add(extracted(report))
            if receipt.wasKnown { intake.giveBack(report.bytes, of: report.sender, at: address) } else { analysisSignal.send() }
            return receipt
        } catch {
            intake.giveBack(report.bytes, of: report.sender, at: address)
            throw error
        }
    }

    private func extracted(_ report: Report) async throws(EpitopeError) -> Report {
        guard case .packet(let packet) = report.body, packet.value.extraction != nil else { return report }
        var report = report
        report.body = .packet(try await extractor.extract(packet))
        return report
    }

    /// Code that the store has, by its SHA-256.
    public func code(digest: [UInt8]) async throws(EpitopeError) -> [UInt8]? {
        try await store.code(digest: digest)
    }

    /// Notes what a host withheld.
    ///
    /// - Throws: `revoked` if the host's certificate was revoked meanwhile.
    public func note(_ counts: WithheldCounts, of host: Identity, issuedMilliseconds: Int64) async throws(EpitopeError) {
        try await store.note(counts, of: host, issuedMilliseconds: issuedMilliseconds)
    }
}
