// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import GRDB

/// One step that a report, a signature or an update went through: the trail that people, the demonstration and the benchmarks read.
/// What was decided is in the audit log, too (``AuditEntry``).
public struct CenterEvent: Hashable, Sendable, Codable {
    /// The steps of the chain, in its order.
    public enum Step: String, Hashable, Sendable, Codable, CaseIterable, StoredWord {
        case stored
        case signed
        case clustered
        case weighed
        /// An attack that reached the threshold is not published yet.
        case waiting
        /// Nothing can be made of the report.
        case unusable
        case proven
        case unproven
        case quotaExceeded = "quota-exceeded"
        case delivering
        case delivered
        /// Somebody else changed the rules in the IDS; they are put back.
        case restored
        /// A rule left the IDS.
        case removed
        case refused
        case retried
        case superseded
        case expired
        case published
        case forwarded
        case received
        case covered
        /// A rule has another number (sid).
        case renumbered
        case withdrawn
        case reinstated
        /// More reporters joined: an update rests on more.
        case graded
        case pruned
        /// A host noticed attacks and did not report all of them.
        case withheld
        /// An enrolment token was made.
        case tokenMade = "token-made"
        /// A token was redeemed.
        case enrolled
        /// A peer's certificate was renewed.
        case renewed
        /// A peer's certificates were revoked.
        case revoked
        /// Two machines were seen with one identity.
        case identityShared = "identity-shared"
        /// What a site or host reports to a global center is published on its word alone.
        case trusted
        /// No longer so.
        case distrusted
        /// An authority was made that is to follow the present one.
        case authorityMade = "authority-made"
        /// It has taken the present one's place.
        case authorityRetired = "authority-retired"
        /// A backup of the center was made.
        case backedUp = "backed-up"
        /// The store was put back from a backup.
        case recovered
        /// A version of the host's application was added to what is handed out.
        case agentAdded = "agent-added"
        case agentRemoved = "agent-removed"
        /// Hosts are to run a version.
        case agentOrdered = "agent-ordered"
        /// The first hosts are well by it, and the rest get it.
        case agentSpread = "agent-spread"
        /// No more hosts get it.
        case agentStopped = "agent-stopped"
        /// A host runs a version that was ordered.
        case agentUpdated = "agent-updated"
        /// A host's new version was not well, and the one before runs again.
        case agentReturned = "agent-returned"
        /// A host did not run what was handed out.
        case agentRefused = "agent-refused"
        /// An update does not go out by itself: it waits for a person, or is only observed.
        case held
        /// It goes out after all, since the settings, or what it rests on, are others by now.
        case released
        /// A person let it go out.
        case approved
        /// A person did not.
        case rejected
        /// What a center learned from a withdrawal.
        case learned
        /// A person keeps a rule in force.
        case pinned
        case unpinned
        /// A person changed when an update ends.
        case lifetimeChanged = "lifetime-changed"
        /// Nothing becomes a rule of something any more; it may again.
        case allowed
        case disallowed
        /// A center was started.
        case started
        /// Its settings were read again, and some of them changed.
        case reconfigured
        /// The center has enrolled at another center: a global one, or a site whose updates it reads.
        case linked
        /// It reads a site's updates no more.
        case unlinked
        /// Entries of the audit log were removed by retention (``AuditCheckpoint``).
        case auditPruned = "audit-pruned"
        /// Notices for a destination were dropped: more wait for it than may.
        case noticesDropped = "notices-dropped"

        /// Whether it belongs in the audit log: what people did, what was decided, and what went into force, out of it, or out of the
        /// center. What happens to each packet on its way, and attempts that changed nothing, are not in it: senders, who may be
        /// intruders, would say how much is written there.
        public var isAudited: Bool {
            switch self {
            case .stored, .signed, .clustered, .weighed, .waiting, .unusable, .unproven, .quotaExceeded, .delivering, .retried, .withheld,
                .noticesDropped:
                false
            case .proven, .delivered, .restored, .removed, .refused, .superseded, .expired, .published, .forwarded, .received, .covered,
                .renumbered, .withdrawn, .reinstated, .graded, .pruned, .tokenMade, .enrolled, .renewed, .revoked, .identityShared,
                .trusted, .distrusted, .authorityMade, .authorityRetired, .backedUp, .recovered, .agentAdded, .agentRemoved, .agentOrdered,
                .agentSpread, .agentStopped, .agentUpdated, .agentReturned, .agentRefused, .held, .released, .approved,
                .rejected, .learned, .pinned, .unpinned, .lifetimeChanged, .allowed, .disallowed, .started, .reconfigured, .linked,
                .unlinked,
                .auditPruned:
                true
            }
        }
    }

    /// What people decided and who got in: kept for longer than the steps of packets (``CenterStore/prune(olderThanDays:)``).
    static let decisions: [Step] = [
        .withdrawn, .reinstated, .tokenMade, .enrolled, .renewed, .revoked, .identityShared, .trusted, .distrusted, .authorityMade,
        .authorityRetired, .recovered, .agentAdded, .agentRemoved, .agentOrdered, .agentSpread, .agentStopped, .agentUpdated,
        .agentReturned, .agentRefused, .approved, .rejected, .learned, .pinned, .unpinned, .lifetimeChanged, .allowed, .disallowed,
        .started,
        .reconfigured, .linked, .unlinked, .auditPruned,
    ]

    /// What the commands of people record, by the machine's clock.
    static let ofCommands: [Step] = [
        .withdrawn, .reinstated, .tokenMade, .revoked, .trusted, .distrusted, .backedUp, .recovered, .agentAdded, .agentRemoved,
        .agentOrdered, .linked, .unlinked, .approved, .rejected, .learned, .pinned, .unpinned, .lifetimeChanged, .allowed, .disallowed,
    ]

    /// Counts up; never used twice.
    public var sequence: Int64
    /// Milliseconds since 1970-01-01T00:00:00Z, with their fraction, by the center's clock.
    public var timeMilliseconds: Double
    public var step: Step
    /// The id of the report, or of the signature where the step concerns an update.
    public var subject: String
    public var detail: String
}

extension CenterStore {
    /// The latest events, oldest first; with a subject, only its own.
    public func events(subject: String? = nil, after sequence: Int64 = 0, limit: Int = 1000) async throws -> [CenterEvent] {
        try await snapshot { try $0.events(subject: subject, after: sequence, limit: limit) }
    }
}

extension CenterStore {
    /// When the latest events were that the serving center recorded, in milliseconds since 1970; `nil`: there is none. It is the middle of
    /// the last few: the record of one may be damaged. What people's commands record goes by the machine's clock, which may have been
    /// wrong then.
    public func lastEventMilliseconds() async throws(EpitopeError) -> Int64? {
        try await snapshot { transaction in
            let last = try Double.fetchAll(
                transaction.db, sql: "SELECT time_ms FROM events WHERE step NOT IN \(CenterEvent.ofCommands.sql) ORDER BY seq DESC LIMIT 9"
            ).sorted()
            return last.isEmpty ? nil : Int64(exactly: last[last.count / 2].rounded(.down))
        }
    }
}

extension StoreTransaction {
    /// Arguments: the subject if it is of one, the number after which, and how many. A statement each, so that those of one subject are
    /// found by their index.
    static func selectEvents(ofOneSubject: Bool) -> String {
        """
        SELECT seq, time_ms, step, subject, detail FROM events
        WHERE \(ofOneSubject ? "subject = ? AND " : "")seq > ? ORDER BY seq DESC LIMIT ?
        """
    }

    func events(subject: String?, after sequence: Int64, limit: Int) throws -> [CenterEvent] {
        let rows = try Row.fetchAll(
            db, sql: Self.selectEvents(ofOneSubject: subject != nil), arguments: (subject.map { [$0] } ?? []) + [sequence, limit])
        return rows.reversed().compactMap { row in
            // An earlier version doesn't show steps that only a later one knows.
            guard let step = CenterEvent.Step(rawValue: row["step"]) else { return nil }
            return CenterEvent(
                sequence: row["seq"], timeMilliseconds: row["time_ms"], step: step, subject: row["subject"],
                detail: row["detail"])
        }
    }
}
