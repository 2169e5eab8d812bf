// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import GRDB
import Notifications
import Signatures

extension StoreTransaction {
    /// An event with what the store knows of what it is about.
    func noticedEvent(_ row: Row, _ kind: EventKind) throws -> NotifiedEvent {
        let subject: String = row["subject"]
        let about: NoticedSubject =
            switch kind.group {
            case .packet: try packetSubject(subject)
            case .attack where kind == .withheld: try hostSubject(subject)
            case .attack, .rule: try signatureSubject(subject)
            case .identity, .agent: try hostSubject(subject)
            case .center: NoticedSubject()
            }
        return NotifiedEvent(
            sequence: row["seq"], timeMilliseconds: Int64((row["time_ms"] as Double).rounded()), kind: kind, subject: subject,
            detail: row["detail"], grade: about.grade, sid: about.sid, hosts: about.hosts,
            addresses: about.addresses.compactMap { IPAddress($0) })
    }

    private func packetSubject(_ id: String) throws -> NoticedSubject {
        guard let row = try Row.fetchOne(db, sql: "SELECT name, host, source FROM reports WHERE id = ?", arguments: [id]) else {
            return NoticedSubject()
        }
        let (name, host, source): (String, String?, String?) = (row["name"], row["host"], row["source"])
        return NoticedSubject(hosts: [host ?? name], addresses: [source].compactMap(\.self))
    }

    private func hostSubject(_ name: String) throws -> NoticedSubject {
        guard let row = try Row.fetchOne(db, sql: "SELECT name, address FROM sightings WHERE role = 'host' AND name = ?", arguments: [name])
        else { return NoticedSubject() }
        return NoticedSubject(hosts: [row["name"]], addresses: [row["address"] as String?].compactMap(\.self))
    }

    private func signatureSubject(_ id: String) throws -> NoticedSubject {
        guard
            let row = try Row.fetchOne(
                db,
                sql: """
                    SELECT u.body, u.cluster_id, r.sid FROM updates u LEFT JOIN rules r ON r.id = u.rule_id
                    WHERE u.signature_id = ? ORDER BY u.id DESC LIMIT 1
                    """,
                arguments: [id])
        else { return NoticedSubject() }
        var about = NoticedSubject(
            grade: (try? RowCoding.value(SignatureUpdate.self, row["body"]))?.support?.grade, sid: row.sid)
        guard let cluster: Int64 = row["cluster_id"] else { return about }
        let reporters = try Row.fetchAll(
            db,
            sql: "SELECT reporter, max(machine) AS machine FROM evidence WHERE cluster_id = ? GROUP BY reporter ORDER BY reporter LIMIT 16",
            arguments: [cluster])
        for reporter in reporters {
            let (name, machine): (String, String?) = (reporter["reporter"], reporter["machine"])
            about.hosts.append(name.hasPrefix("host:") ? String(name.dropFirst(5)) : name)
            // The network of one machine.
            if let address = machine?.split(separator: "/").first.map(String.init), !about.addresses.contains(address) {
                about.addresses.append(address)
            }
        }
        return about
    }
}

/// What is known of what an event is about.
private struct NoticedSubject {
    var grade: EvidenceGrade?
    var sid: UInt32?
    var hosts: [String] = []
    var addresses: [String] = []
}
