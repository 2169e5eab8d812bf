// SPDX-License-Identifier: Apache-2.0

/// What can be told of: the steps of a center's audit trail by their words there, but for `stored`, which the analysis of the same packet
/// follows at once.
public enum EventKind: String, Hashable, Sendable, Codable, CaseIterable {
    case signed, clustered, weighed, waiting, unusable, proven, unproven
    case quotaExceeded = "quota-exceeded"
    case delivering, delivered, restored, removed, refused, retried, superseded, expired, published, forwarded, received, covered
    case renumbered, withdrawn, reinstated, graded, pruned, withheld
    case tokenMade = "token-made"
    case enrolled, renewed, revoked
    case identityShared = "identity-shared"
    case trusted, distrusted
    case authorityMade = "authority-made"
    case authorityRetired = "authority-retired"
    case backedUp = "backed-up"
    case recovered
    case agentAdded = "agent-added"
    case agentRemoved = "agent-removed"
    case agentOrdered = "agent-ordered"
    case agentSpread = "agent-spread"
    case agentStopped = "agent-stopped"
    case agentUpdated = "agent-updated"
    case agentReturned = "agent-returned"
    case agentRefused = "agent-refused"
    case held, released, approved, rejected, learned, pinned, unpinned, allowed, disallowed
    case lifetimeChanged = "lifetime-changed"
    case started, reconfigured, linked, unlinked
    case auditPruned = "audit-pruned"
    case noticesDropped = "notices-dropped"
    /// A message that a person asked for, to see whether it arrives.
    case test

    /// Kinds that belong together. Rules may name one of these words instead of all its kinds.
    public enum Group: String, Hashable, Sendable, CaseIterable {
        /// Several for each packet: not told unless a rule asks for it.
        case packet
        case attack
        case rule
        case identity
        case center
        case agent
    }

    /// The group that it is of.
    public var group: Group {
        switch self {
        case .signed, .clustered, .weighed, .unusable, .forwarded: .packet
        case .waiting, .proven, .unproven, .quotaExceeded, .graded, .withheld, .received, .covered: .attack
        case .delivering, .delivered, .restored, .removed, .refused, .retried, .superseded, .expired, .published, .renumbered, .withdrawn,
            .reinstated, .held, .released, .approved, .rejected, .learned, .pinned, .unpinned, .lifetimeChanged, .allowed, .disallowed:
            .rule
        case .tokenMade, .enrolled, .renewed, .revoked, .identityShared, .trusted, .distrusted, .authorityMade, .authorityRetired: .identity
        case .pruned, .backedUp, .recovered, .started, .reconfigured, .linked, .unlinked, .auditPruned, .noticesDropped, .test: .center
        case .agentAdded, .agentRemoved, .agentOrdered, .agentSpread, .agentStopped, .agentUpdated, .agentReturned, .agentRefused: .agent
        }
    }

    /// What happened, for a person.
    public var title: String {
        switch self {
        case .signed: "A packet has a signature"
        case .clustered: "A packet belongs to a cluster"
        case .weighed: "Evidence was weighed"
        case .waiting: "An attack is not published yet"
        case .unusable: "Nothing can be made of a packet"
        case .proven: "A signature is proven"
        case .unproven: "A signature is not proven"
        case .quotaExceeded: "A daily quota is used up"
        case .delivering: "A rule is on its way"
        case .delivered: "A rule is live"
        case .restored: "Somebody else changed the rules in the IDS"
        case .removed: "A rule left the IDS"
        case .refused: "A rule was refused"
        case .retried: "A delivery failed and is tried again"
        case .superseded: "A later signature takes the place of another"
        case .expired: "A rule's life time ended"
        case .published: "An update was published"
        case .forwarded: "A packet was forwarded to the global center"
        case .received: "An update came in"
        case .covered: "An update is covered by a rule that is there"
        case .renumbered: "A rule has another number"
        case .withdrawn: "A signature was withdrawn"
        case .reinstated: "A withdrawn signature was reinstated"
        case .graded: "An update rests on more evidence"
        case .pruned: "Old data was removed"
        case .withheld: "A host noticed attacks and did not report all"
        case .tokenMade: "An enrolment token was made"
        case .enrolled: "A machine enrolled"
        case .renewed: "A certificate was renewed"
        case .revoked: "Certificates were revoked"
        case .identityShared: "Two machines have one identity"
        case .trusted: "A reporter is trusted"
        case .distrusted: "A reporter is no longer trusted"
        case .authorityMade: "A following authority was made"
        case .authorityRetired: "The authority was replaced"
        case .backedUp: "A backup was made"
        case .recovered: "The store was put back from a backup"
        case .agentAdded: "A version for hosts was added"
        case .agentRemoved: "A version for hosts was removed"
        case .agentOrdered: "Hosts are to run a version"
        case .agentSpread: "A version goes to the rest of the hosts"
        case .agentStopped: "A version goes to no more hosts"
        case .agentUpdated: "A host runs a new version"
        case .agentReturned: "A host went back to the version before"
        case .agentRefused: "A host did not run what was handed out"
        case .held: "An update does not go out by itself"
        case .released: "An update goes out after all"
        case .approved: "A person let an update go out"
        case .rejected: "A person rejected an update"
        case .learned: "What follows from a withdrawal"
        case .pinned: "A rule is kept in force"
        case .unpinned: "A rule is no longer kept in force"
        case .lifetimeChanged: "A rule has another life time"
        case .allowed: "Something is allowed"
        case .disallowed: "Something is no longer allowed"
        case .started: "A center was started"
        case .reconfigured: "Settings of a center changed"
        case .linked: "The center enrolled at another center"
        case .unlinked: "Updates of a site are read no more"
        case .auditPruned: "Entries of the audit log were removed"
        case .noticesDropped: "Notices were dropped"
        case .test: "Test message"
        }
    }

    /// How severe it is where no grade of evidence says more.
    var severity: Severity {
        switch self {
        case .identityShared, .restored, .authorityRetired, .recovered: .high
        case .proven, .delivered, .published, .waiting, .refused, .quotaExceeded, .withheld, .revoked, .agentReturned, .agentRefused,
            .agentStopped, .noticesDropped, .authorityMade, .held, .allowed:
            .medium
        case .withdrawn, .reinstated, .trusted, .distrusted, .received, .graded, .unproven, .retried, .removed, .tokenMade, .unusable,
            .reconfigured, .linked,
            .unlinked, .auditPruned, .released, .approved, .rejected, .pinned, .unpinned, .lifetimeChanged, .disallowed:
            .low
        case .signed, .clustered, .weighed, .delivering, .superseded, .expired, .forwarded, .covered, .renumbered, .pruned, .enrolled,
            .renewed, .backedUp, .learned, .agentAdded, .agentRemoved, .agentOrdered, .agentSpread, .agentUpdated, .started, .test:
            .informational
        }
    }

    /// Whether it tells of an attack that the evidence speaks for: the better the evidence, the more severe.
    var isGraded: Bool {
        switch self {
        case .proven, .delivered, .published, .waiting, .graded, .received, .restored: true
        default: false
        }
    }
}
