// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import FoundationEssentials
import PacketCoding
import Signatures

extension CenterStore {
    /// Stores a report. When this returns, the report is on the disk; a report that the store has already is
    /// acknowledged again and not stored twice.
    ///
    /// - Throws: `disk-full`, `store-busy`, `store-failed`, `store-unusable`. After an error the sender must keep the
    ///   report.
    public func add(_ report: Report) async throws(EpitopeError) -> Receipt {
        try await groupCommit.store(Self.row(of: report))
    }

    private static func row(of report: Report) throws(EpitopeError) -> GroupCommit.Row {
        switch report.body {
        case .packet(let packet):
            GroupCommit.Row(
                id: report.id, kind: "packet", sender: report.sender, packet: Data(packet.bytes))
        case .forward(let forward):
            GroupCommit.Row(
                id: report.id, kind: "forward", sender: report.sender, host: forward.reporter,
                packet: RowCoding.encode(forward.packet), signature: try RowCoding.json(forward.signature))
        case .update(let update):
            GroupCommit.Row(
                id: report.id, kind: "update", sender: report.sender, signature: try RowCoding.json(update.signature))
        }
    }
}
