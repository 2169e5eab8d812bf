// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import GRDB
import Signatures

/// Withdrawals by a person: of one signature, of a cluster, of a reporter.
extension StoreTransaction {
    func withdraw(_ scope: WithdrawalScope, reason: String) throws -> ActionOutcome {
        switch scope {
        case .signature(let id):
            guard try isKnown(id) else { throw CenterStore.unknown("no update of signature \(id) was made or received here") }
            return try withdrawForPerson([id], reason: reason)
        case .cluster(let number):
            let signatures = try String.fetchAll(
                db,
                sql: """
                    SELECT signature_id FROM updates WHERE cluster_id = ? AND state IN \([UpdateState.proven, .covered].sql)
                    GROUP BY signature_id ORDER BY min(id)
                    """, arguments: [number])
            guard !signatures.isEmpty else { throw Self.nothing("cluster \(number) has no update in force or on its way") }
            return try withdrawForPerson(signatures, reason: reason)
        case .reporter(let identity, let isWithShared): return try withdraw(of: identity, isWithShared: isWithShared, reason: reason)
        }
    }

    private func withdraw(of identity: Identity, isWithShared: Bool, reason: String) throws -> ActionOutcome {
        let who = AuditActor.peer(identity).text
        let (alone, shared) = try signatures(of: identity)
        guard !alone.isEmpty || isWithShared && !shared.isEmpty else {
            throw Self.nothing(
                "no update in force or on its way rests on the word of the \(who) alone"
                    + (shared.isEmpty ? "" : "; with others: \(shared.count) (--shared)"))
        }
        var outcome = try withdrawForPerson(alone + (isWithShared ? shared : []), reason: reason)
        if !isWithShared { outcome.shared = shared }
        outcome.learned.append(
            "nothing of the \(who) itself: what it reports from now on counts as before; `revoke` ends that, and `allow` has nothing made of it"
        )
        return outcome
    }

    private static func nothing(_ problem: String) -> EpitopeError {
        EpitopeError(.nothingToWithdraw, problem, remedy: "look up in `status` what is in force")
    }

    /// The signatures of updates in force or on their way whose clusters a reporter sent packets of: alone, and with others.
    private func signatures(of identity: Identity) throws -> (alone: [String], shared: [String]) {
        let rows = try Row.fetchAll(
            db,
            sql: """
                SELECT u.signature_id, u.cluster_id FROM updates u
                WHERE u.state = \(UpdateState.proven.sql) AND u.cluster_id IN (
                  SELECT cluster_id FROM evidence WHERE reporter = ?
                  UNION SELECT a.cluster_id FROM reports r JOIN analyses a ON a.report_seq = r.seq WHERE r.role = ? AND r.name = ?)
                ORDER BY u.id
                """, arguments: [identity.reporter, identity.role.rawValue, identity.name])
        var (alone, shared): ([String], [String]) = ([], [])
        for row in rows {
            let (signature, cluster): (String, Int64) = (row["signature_id"], row["cluster_id"])
            guard !alone.contains(signature), !shared.contains(signature) else { continue }
            if try reporters(of: cluster).subtracting([identity.reporter]).isEmpty {
                alone.append(signature)
            } else {
                shared.append(signature)
            }
        }
        return (alone, shared)
    }

    /// Withdraws signatures for the person in whose name it is done, and says what the center learns from each.
    func withdrawForPerson(_ signatures: [String], reason: String) throws -> ActionOutcome {
        var outcome = ActionOutcome()
        for id in signatures {
            let isPublished = try isPublished(id)
            let clusters = try Int64.fetchAll(
                db, sql: "SELECT DISTINCT cluster_id FROM updates WHERE signature_id = ? AND cluster_id IS NOT NULL ORDER BY 1",
                arguments: [id])
            try withdraw(id, reason: reason, by: .person, name: actor.personName)
            for table in ["approvals", "pins"] {
                try db.execute(sql: "DELETE FROM \(table) WHERE signature_id = ?", arguments: [id])
            }
            let revisions = try String.fetchAll(
                db, sql: "SELECT signature_id FROM withdrawals WHERE because_of = ? ORDER BY signature_id", arguments: [id])
            outcome.withdrawn += ([id] + revisions).filter { !outcome.withdrawn.contains($0) }
            let lesson = Self.lesson(revisions: revisions.count, clusters: clusters, isPublished: isPublished)
            try record(.learned, id, lesson)
            outcome.learned.append("\(id): \(lesson)")
        }
        return outcome
    }

    private func isPublished(_ id: String) throws -> Bool {
        try Bool.fetchOne(
            db,
            sql: """
                SELECT EXISTS (SELECT 1 FROM updates u JOIN feed f ON f.update_id = u.id WHERE u.signature_id = ?1)
                  OR EXISTS (SELECT 1 FROM updates u JOIN feed f ON f.sequence = u.sequence WHERE u.signature_id = ?1 AND f.update_id IS NULL)
                """, arguments: [id]) ?? false
    }

    /// What the center does differently from now on.
    private static func lesson(revisions: Int, clusters: [Int64], isPublished: Bool) -> String {
        let cluster = clusters.isEmpty ? "" : ", of cluster \(clusters.map(String.init).joined(separator: " and ")),"
        return "no update of it is made or taken again"
            + (revisions > 0 ? ", nor of \(revisions) that took its place or were to" : "")
            + "; near variants of it\(cluster) wait for a person"
            + (isPublished ? "; who reads this center's updates is told" : "")
            + "; signatures of other bytes of the attack are made as before, and its reporters count as before"
    }
}

extension AuditActor {
    /// The person, for others to read; `nil`: it is none.
    var personName: String? {
        if case .person(let user, let sudoUser) = self { sudoUser ?? user } else { nil }
    }
}
