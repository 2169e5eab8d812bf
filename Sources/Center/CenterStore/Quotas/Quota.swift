// SPDX-License-Identifier: Apache-2.0

import Correlation
public import EpitopeModel

/// The daily quotas of a center: an item beyond its quota waits until the sliding day has room again.
public enum QuotaKind: String, Hashable, Sendable, Codable, CaseIterable, StoredWord {
    /// Updates of this site's own making to its intrusion detection system.
    case updates
    /// Updates of the global center to this site's intrusion detection system.
    case globalUpdates = "global-updates"
    /// Packets forwarded to the global center.
    case forwards
    /// Updates of this site's own making to the global center.
    case reportedUpdates = "reported-updates"
    /// Updates of this global center to its subscribers.
    case publications

    /// The quotas that deliveries to a target use.
    static func of(_ target: DeliveryTarget) -> Set<QuotaKind> {
        Set([false, true].map { QuotaKind(target: target, isGlobalUpdate: $0) })
    }

    init(target: DeliveryTarget, isGlobalUpdate: Bool) {
        switch target {
        case .global: self = .reportedUpdates
        case .ids: self = isGlobalUpdate ? .globalUpdates : .updates
        case .feed: self = .publications
        }
    }
}

/// How much of a quota is left.
public struct QuotaUse: Hashable, Sendable, Codable {
    public var limit: Int
    public var left: Int
    /// When the next use fits, in milliseconds since 1970; `nil` while some are left, or when the limit is 0.
    public var reopensMilliseconds: Int64?
}

/// The quotas' limits, each for a sliding 24 hours.
public struct QuotaLimits: Hashable, Sendable, Codable {
    public var updates: Int
    /// High, because a site must not miss other sites' attacks; the bound keeps a faulty global center from reloading
    /// a site's IDS without end.
    public var globalUpdates: Int
    public var forwards: Int
    /// Of a global center, which has no other quota; `nil`: of a local one.
    public var publications: Int?

    /// The defaults are few on purpose: each update of the site reloads its IDS, and each forward is a report of an
    /// attack, so that an attacker who provokes reports can't flood either.
    public init(updates: Int = 3, globalUpdates: Int = 100, forwards: Int = 3) {
        self.updates = updates
        self.globalUpdates = globalUpdates
        self.forwards = forwards
    }

    /// Reported updates are counted apart, with the limit of ``updates``: they are the same updates, sent to another
    /// place.
    public func limit(of kind: QuotaKind) -> Int {
        switch kind {
        case .updates, .reportedUpdates: updates
        case .globalUpdates: globalUpdates
        case .forwards: forwards
        case .publications: publications ?? 0
        }
    }

    /// Those of the center that runs with these limits.
    var kinds: [QuotaKind] { QuotaKind.allCases.filter { ($0 == .publications) == (publications != nil) } }

    /// A quota with its shares: a subscriber takes what many sites report, so one site's share is small.
    func quota(_ kind: QuotaKind) -> FairQuota { FairQuota(limit: limit(of: kind), shares: kind == .publications ? 10 : 3) }
}

extension QuotaLimits {
    /// Of a global center.
    public init(publications: Int) {
        self.init(updates: 0, globalUpdates: 0, forwards: 0)
        self.publications = publications
    }
}

extension CenterStore {
    /// Stores the limits that the center runs with, so that ``status(events:)`` shows the same.
    public func setQuotaLimits(_ limits: QuotaLimits) async throws(EpitopeError) {
        try await transaction { try $0.setMark(.quotaLimits, try RowCoding.json(limits)) }
    }
}

extension StoreTransaction {
    /// How much is left of each quota; `nil` until a center with quotas has run on this store.
    func quotaUses() throws -> [QuotaKind: QuotaUse]? {
        guard let json = try mark(.quotaLimits) else { return nil }
        let limits = try RowCoding.value(QuotaLimits.self, json)
        return Dictionary(uniqueKeysWithValues: try limits.kinds.map { ($0, try use(of: $0, limits: limits)) })
    }
}
