// SPDX-License-Identifier: Apache-2.0

internal import Correlation
import EpitopeModel
internal import FoundationEssentials
internal import GRDB
internal import SignatureMaking
internal import SignatureProving
internal import Signatures

/// A report as it lies in the store.
struct ReportRow: Sendable {
    var sequence: Int64
    var id: String
    var reporter: String
    var receivedMilliseconds: Int64
    var packet: Data?
    var signature: String?

    static func waiting(_ db: Database, limit: Int) throws -> [ReportRow] {
        try Row.fetchAll(
            db,
            sql: """
                SELECT seq, id, role, name, received_ms, packet, signature FROM reports
                WHERE state = 'stored' ORDER BY seq LIMIT ?
                """,
            arguments: [limit]
        ).map { row in
            let (role, name): (String, String) = (row["role"], row["name"])
            return ReportRow(
                sequence: row["seq"], id: row["id"], reporter: "\(role):\(name)", receivedMilliseconds: row["received_ms"],
                packet: row["packet"], signature: row["signature"])
        }
    }
}

/// What the first step makes of a report: a signature, what it was made of, and the evidence.
struct SignedReport {
    var signature: Signature
    /// The packet's code, or its caller window where only that was sent; `nil` for a site's update.
    var sample: [UInt8]?
    /// The packet, as signatures are made of it; `nil` for a site's update.
    var packet: Sample?
    var evidence: [WeighedEvidence]
    /// Where the signature comes from, for a person.
    var source: String

    /// - Throws: `EpitopeError` when nothing can be made of the report.
    init(_ row: ReportRow) throws(EpitopeError) {
        let given = try row.signature.map { json throws(EpitopeError) in try RowCoding.value(Signature.self, json) }
        guard let data = row.packet else {
            guard let given else {
                throw EpitopeError(.signatureMalformed, "a report holds neither packet nor signature", remedy: "send it anew")
            }
            signature = given
            source = "of the site's update"
            evidence = [
                WeighedEvidence(
                    reporter: row.reporter, kind: WeighedEvidence.siteUpdate, points: WeighedEvidence.siteUpdatePoints,
                    timeMilliseconds: row.receivedMilliseconds)
            ]
            return
        }
        let packet = try RowCoding.decode(data)
        evidence = packet.evidence.map {
            WeighedEvidence(reporter: row.reporter, evidence: $0, timeMilliseconds: row.receivedMilliseconds)
        }
        let bytes: [UInt8]
        let window: [UInt8]
        switch packet.content {
        case .signature(let own):
            (bytes, window, source) = (own, own, "the packet's own caller window")
        case .code(let code):
            bytes = code.bytes
            window = try CallerWindow.extract(from: code, callersAddress: packet.callersAddress)
            source = "the caller window, extracted here"
        }
        sample = bytes
        self.packet = Sample(packet)
        signature = Signature(
            tokens: [.init(bytes: window)], context: SignatureContext(packet.parameters.process))
        // A site's own signature is taken when it holds for the packet that came with it; else the window speaks.
        if let given, SignatureCheck.proof(of: given, samples: [bytes]).passed {
            signature = given
            source = "the forwarding site's"
        }
    }
}
