// SPDX-License-Identifier: Apache-2.0

public import Correlation
public import EpitopeModel
import GRDB

/// A place in the day's quota of publications, as an attack asks for it.
public struct PublicationClaim: Hashable, Sendable {
    var item: FairQuota.Item
    var quota: FairQuota
    public var isAdmitted: Bool

    /// How many independent sites report the attack.
    public var reporters: Int { item.reporters }
    /// On whose word it is counted; `nil`: so many support it that it is nobody's own.
    public var soleSource: ReportSource? { item.soleSource }

    /// Why it has to wait, for a person.
    public var refusal: String {
        let share = soleSource.map { ", \(quota.share) of them on the word of \($0.reporter) and one other at most" } ?? ""
        return "\(quota.limit) a day: \(QuotaKind.publications.rawValue)\(share)"
    }
}

/// What a global center publishes in a day: shared out by site as a site's own updates are by host.
///
/// What fewer than three independent sites support is counted on the word of one of them: of whom least was published so far. So neither a
/// site that is trusted nor two of one intruder fill every subscriber's day, and nobody uses up another's share by reporting before it.
extension StoreTransaction {
    /// So many independent sites make an attack nobody's own.
    private static let wellSupported = 3
    /// Of what waits or is about to be proven, so much is looked at.
    private static let maxLooked = 1024

    /// Whether something of an attack may be published within the day's quota, and what a use of it rests on.
    ///
    /// - Parameters:
    ///   - reporters: who supports what is to be published.
    ///   - limit: the day's places.
    public func publicationClaim(of cluster: Int64, supportedBy reporters: Set<String>, limit: Int) throws -> PublicationClaim {
        let all = try supporters(of: cluster, among: self.reporters(of: cluster))
        let own = reporters.isEmpty ? all : try supporters(of: cluster, among: reporters)
        let uses = try uses(of: .publications)
        let claim = try publicationClaim(of: cluster, all: all, own: own, beside: uses, limit: limit) { source in
            FairQuota.count(of: source, among: uses)
        }
        // What has to wait does so behind the fewest.
        return try claim.isAdmitted
            ? claim : publicationClaim(of: cluster, all: all, own: own, beside: uses, limit: limit, used: placesAskedFor(beside: uses))
    }

    /// The same before an attack is proven: what is about to be proven, and what waits and weighs no less, is as good as published.
    public func earlyPublicationClaim(of cluster: Int64, limit: Int) throws -> PublicationClaim {
        let all = try supporters(of: cluster, among: reporters(of: cluster))
        let uses = try uses(of: .publications) + pendingPublications(limit: limit)
        var claim = try publicationClaim(
            of: cluster, all: all, own: all, beside: uses, limit: limit, used: placesAskedFor(beside: uses))
        claim.isAdmitted = try claim.quota.admits(claim.item, beside: uses + queuedPublications(before: claim.item, limit: limit))
        return claim
    }

    private typealias Supporters = [(source: ReportSource, witness: PublicationDecision.Witness)]

    private func publicationClaim(
        of cluster: Int64, all: Supporters, own: Supporters, beside uses: [FairQuota.Use], limit: Int,
        used: (ReportSource) throws -> Int
    ) throws -> PublicationClaim {
        let weight = try weight(of: cluster)
        let isShared = PublicationDecision.countIndependent(own.map(\.witness)) >= Self.wellSupported
        let sole = try isShared ? nil : FairQuota.leastUsed(own.map(\.source), used: used) ?? weight.firstSource
        let item = FairQuota.Item(
            number: cluster, reporters: PublicationDecision.countIndependent(all.map(\.witness)), points: weight.sum.points,
            soleSource: sole)
        let quota = QuotaLimits(publications: limit).quota(.publications)
        return PublicationClaim(item: item, quota: quota, isAdmitted: quota.admits(item, beside: uses))
    }

    /// How many places somebody has, or waits for.
    private func placesAskedFor(beside uses: [FairQuota.Use]) -> (ReportSource) throws -> Int {
        { source in
            try FairQuota.count(of: source, among: uses) + countQueued(for: .publications, onWordOf: source, limit: Self.maxLooked)
        }
    }

    /// Counts what is published of a claim.
    ///
    /// - Parameter update: its number in the store; it is delivered to the feed.
    public func usePublication(_ claim: PublicationClaim, for update: Int64) throws {
        let delivery = try Int64.fetchOne(
            db, sql: "SELECT id FROM deliveries WHERE update_id = ? AND target = \(DeliveryTarget.feed.sql)", arguments: [update])
        if let delivery { try use(.publications, for: .delivery(delivery), soleSource: claim.soleSource) }
    }

    /// Has a cluster wait until the quota has a place for what it claims.
    ///
    /// - Returns: whether it didn't before.
    public func holdProof(of cluster: Int64, for claim: PublicationClaim) throws -> Bool {
        let isNew = try hold(cluster, as: .waitingQuota)
        try queue(.proof(cluster), for: .publications, of: nil, as: claim.item)
        return isNew
    }

    /// By how many independent sites a cluster was supported when it began to wait for the quota; `nil`: it doesn't.
    public func reportersOfQueuedPublication(of cluster: Int64) throws -> Int? {
        let select = try db.cachedStatement(sql: "SELECT reporters FROM quota_queue WHERE item_kind = ? AND item = ?")
        return try Int.fetchOne(select, arguments: [QuotaItem.Kind.proof.rawValue, cluster])
    }

    /// Of what is about to be proven, on whose word it is counted.
    private func pendingPublications(limit: Int) throws -> [FairQuota.Use] {
        try publicationUses(
            """
            SELECT sole_reporter, sole_machine FROM proofs WHERE state = \(ProofState.pending.sql)
            ORDER BY reporters DESC, points DESC, cluster_id LIMIT ?
            """, [min(limit, Self.maxLooked)])
    }

    /// Of what waits and weighs no less than an item.
    private func queuedPublications(before item: FairQuota.Item, limit: Int) throws -> [FairQuota.Use] {
        try [true, false].flatMap { isShared in
            try publicationUses(
                """
                SELECT sole_reporter, sole_machine FROM quota_queue
                WHERE quota = \(QuotaKind.publications.sql) AND \(db.condition("sole_reporter IS NULL", is: isShared))
                  AND item <> ?1 AND (reporters > ?2 OR reporters = ?2 AND points >= ?3)
                ORDER BY reporters DESC, points DESC, item LIMIT ?4
                """, [item.number, item.reporters, item.points, min(limit, Self.maxLooked)])
        }
    }

    private func publicationUses(_ select: String, _ arguments: StoreArguments) throws -> [FairQuota.Use] {
        try Row.fetchAll(db, sql: select, arguments: arguments).map { row in
            FairQuota.Use(timeMilliseconds: nowMilliseconds, soleSource: .known(row["sole_reporter"], at: row["sole_machine"]))
        }
    }

    /// What waits for the quota and has a place by now, what weighs most first.
    fileprivate func publicationsWithPlace(limit: Int) throws -> [FairQuota.Item] {
        let quota = QuotaLimits(publications: limit).quota(.publications)
        var uses = try uses(of: .publications) + pendingPublications(limit: limit)
        let queued = try firstQueued(for: .publications, quota, uses: uses, where: "1 = 1", arguments: [])
        return FairQuota.inOrder(queued).filter { item in
            guard quota.admits(item, beside: uses) else { return false }
            uses.append(FairQuota.Use(timeMilliseconds: nowMilliseconds, soleSource: item.soleSource))
            return true
        }
    }
}

extension CenterStore {
    /// Requests the proofs of what waits for the quota of publications, as far as there are places by now. Where there is none, nothing is
    /// written.
    public func releasePublications(limit: Int) async throws(EpitopeError) {
        guard try await !snapshot({ try $0.publicationsWithPlace(limit: limit) }).isEmpty else { return }
        try await transaction { transaction in
            for item in try transaction.publicationsWithPlace(limit: limit) {
                try transaction.requestProof(of: item.number, countedFor: item.soleSource)
            }
        }
    }
}
