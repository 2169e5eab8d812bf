// SPDX-License-Identifier: Apache-2.0

import CenterStore
import Correlation
import EpitopeModel
import SignatureMaking
import SignatureProving
import Signatures

/// What a report says by itself: the signature that its cluster is looked up by, and its evidence.
struct ReportAssessment {
    var signature: Signature
    /// Worked out once: it is looked for in memory, in the store, and written.
    let signatureID: String
    /// Where the signature comes from, for a person.
    var signatureSource: String
    /// The packet as signatures are made of it; `nil` for a site's update.
    var sample: Sample?
    var evidence: [WeighedEvidence]
    /// What the site concluded that sent it.
    var conclusion: SiteConclusion?

    /// The evidence as it counts for a reporter.
    func evidence(countedFor reporter: String, at machine: String?) -> [WeighedEvidence] {
        evidence.map { item in
            var item = item
            (item.reporter, item.machine) = (reporter, machine)
            return item
        }
    }

    /// The packet's code, or its caller window if only that was sent; `nil` for a site's update.
    var code: [UInt8]? { sample?.code.bytes }

    /// - Parameter policy: how long the window is that is cut out of code, and what evidence weighs.
    /// - Throws: what decoding the report threw, or `caller-outside-code`.
    init(_ report: StoredReport, by policy: AnalysisPolicy) throws(EpitopeError) {
        switch try report.content.get() {
        case .signature(let given):
            signature = given
            signatureID = given.id
            let isUpdate = report.conclusion == nil
            signatureSource = isUpdate ? "of the site's update" : "the forwarding site's"
            evidence =
                isUpdate
                ? [
                    WeighedEvidence(
                        reporter: report.reporter, kind: WeighedEvidence.siteUpdate, points: WeighedEvidence.siteUpdatePoints,
                        timeMilliseconds: report.receivedMilliseconds)
                ] : []
        case .packet(let packet, let given):
            let sample = Sample(packet)
            (signature, signatureSource) = try Self.signature(of: packet, sample: sample, given: given, callerWindow: policy.callerWindow)
            signatureID = signature.id
            evidence = packet.evidence.map {
                WeighedEvidence(
                    from: ReportSource(reporter: report.reporter, machine: nil), evidence: $0,
                    timeMilliseconds: report.receivedMilliseconds, weights: policy.weights, packet: report.sequence)
            }
            self.sample = sample
        }
        conclusion = report.conclusion
        if let conclusion {
            evidence.append(
                WeighedEvidence(
                    reporter: report.reporter, kind: WeighedEvidence.siteConclusion, points: conclusion.points,
                    timeMilliseconds: report.receivedMilliseconds))
        }
    }

    /// A forwarding site's signature is taken when it holds for the packet that came with it; otherwise the caller
    /// window is.
    private static func signature(
        of packet: ExtractedPacket, sample: Sample, given: Signature?, callerWindow: Int
    ) throws(EpitopeError) -> (Signature, source: String) {
        if let given, given.isWellFormed, given.isSubstantial(for: Signature.Substance(callerWindow: callerWindow)),
            given.matches(sample.code.bytes)
        {
            return (given, "the forwarding site's")
        }
        switch packet.content {
        case .signature(let window):
            return (Signature(tokens: [.init(bytes: window)], context: sample.context), "the packet's own caller window")
        case .code(let code):
            let window = try CallerWindow.extract(from: code, callersAddress: packet.callersAddress, length: callerWindow)
            return (Signature(tokens: [.init(bytes: window)], context: sample.context), "the caller window, extracted here")
        }
    }
}
