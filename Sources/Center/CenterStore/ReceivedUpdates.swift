// SPDX-License-Identifier: Apache-2.0

internal import Correlation
public import EpitopeModel
internal import GRDB
public import SignatureProving
public import Signatures

extension CenterStore {
    /// The sequence of the last update of the global center that this store has.
    public func subscriptionCursor() async throws(EpitopeError) -> Int64 {
        try await read { db in Int64(try db.mark("subscription-cursor") ?? "0") ?? 0 }
    }

    /// Stores updates of the global center, each proven again as far as that goes without its
    /// packets (with this site's own goodware), and moves the
    /// cursor past them: one step, so that none is lost or taken twice.
    ///
    /// An update for a signature that this site has of its own making is kept as covered, and not delivered again.
    public func keepReceived(_ updates: [FeedEntry], prover: SignatureProver) async throws(EpitopeError) {
        let clock = clock
        // Outside of the transaction: it may read captures of benign traffic.
        let proofs = updates.map { Self.proof(of: $0.update, prover: prover) }
        try await write { db in
            var cursor = Int64(try db.mark("subscription-cursor") ?? "0") ?? 0
            for (sequenced, proof) in zip(updates, proofs) where sequenced.sequence > cursor {
                cursor = sequenced.sequence
                try Self.keep(sequenced, proof: proof, db: db, clock: clock)
            }
            try db.setMark("subscription-cursor", "\(cursor)")
        }
    }

    private static func proof(of update: SignatureUpdate, prover: SignatureProver) -> Proof {
        let isProvenThere = update.proof.passed
        var proof = prover.proof(of: update.signature)
        proof.checks.append(
            Proof.Check(
                name: "proven-by-global-center", passed: isProvenThere,
                detail: isProvenThere ? "its proof passed there" : "its proof did not pass there"))
        return proof
    }

    private static func keep(_ sequenced: FeedEntry, proof: Proof, db: Database, clock: CenterClock) throws {
        let now = clock.nowMilliseconds
        var update = sequenced.update
        update.origin = .global(sequence: sequenced.sequence)
        // A making time in the future would stretch the life time.
        update.createdMilliseconds = min(update.createdMilliseconds, now)
        update.lifetimeDays = max(1, min(update.lifetimeDays, SignatureUpdate.longestLifetimeDays))
        update.revision = max(1, min(update.revision, Int(Int32.max)))
        update.proof = proof

        let id = update.signature.id
        let name = "sequence \(sequenced.sequence), revision \(update.revision)"
        try db.record(.received, id, name, at: clock.preciseMilliseconds())
        var (state, reason) = try fate(of: update, db: db, now: now)
        if state == .proven, let refusal = try SIDAllocator.refusal(of: id, db: db) { (state, reason) = (.unproven, refusal) }
        let row = try db.insert(update, cluster: nil, state: state, reason: reason)
        guard state == .proven else {
            let step: CenterEvent.Step? =
                switch state {
                case .unproven: .unproven
                case .covered: .covered
                case .expired: .expired
                case .withdrawn: .withdrawn
                case .proven, .superseded: nil
                }
            if let step { try db.record(step, id, reason ?? name, at: clock.preciseMilliseconds()) }
            return
        }
        try db.record(
            .proven, id, proof.summary, at: clock.preciseMilliseconds())
        try db.supersede(id, before: row, nowMilliseconds: now)
        try db.addDelivery(of: row, to: .ids, state: .pending, nowMilliseconds: now)
    }

    private static func fate(of update: SignatureUpdate, db: Database, now: Int64) throws -> (UpdateState, String?) {
        if let failures = update.proof.failures { return (.unproven, failures) }
        if update.expiresMilliseconds <= now { return (.expired, "its life time is over") }
        let id = update.signature.id
        if let reason = try String.fetchOne(db, sql: "SELECT reason FROM withdrawals WHERE signature_id = ?", arguments: [id]) {
            return (.withdrawn, reason)
        }
        // One that waits for the site's own quota is no cover: the global center's goes out under its own.
        let standing = try Row.fetchAll(
            db,
            sql: """
                SELECT u.id, u.state, u.body FROM updates u JOIN deliveries d ON d.update_id = u.id
                WHERE u.signature_id = ? AND u.state = 'proven' AND d.target = 'ids' AND d.state IN ('pending', 'delivered')
                """,
            arguments: [id]
        ).map(UpdateRow.init)
        let cover = standing.first {
            $0.update.signature.context.covers(update.signature.context) && $0.update.expiresMilliseconds > now
                && !isNewerRevisionOfSameOrigin(update, than: $0.update)
        }
        return cover.map { (.covered, "revision \($0.update.revision) of the signature is in force here") } ?? (.proven, nil)
    }

    /// The global center's own next revision renews the life time of its earlier one.
    private static func isNewerRevisionOfSameOrigin(_ update: SignatureUpdate, than other: SignatureUpdate) -> Bool {
        guard case .global = other.origin else { return false }
        return update.revision > other.revision
    }
}
