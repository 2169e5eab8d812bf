// SPDX-License-Identifier: Apache-2.0

/// The daily quotas of a center: what goes beyond one waits until its sliding day reopens.
public enum QuotaKind: String, Hashable, Sendable, Codable, CaseIterable {
    /// Updates of this site's own making to its intrusion detection system.
    case updates
    /// Updates of the global center to this site's intrusion detection system.
    case globalUpdates = "global-updates"
    /// Packets forwarded to the global center.
    case forwards
    /// Updates of this site's own making to the global center.
    case reportedUpdates = "reported-updates"
}

/// How much of a quota is left.
public struct QuotaUse: Hashable, Sendable, Codable {
    public var limit: Int
    public var left: Int
    /// When the next use fits, in milliseconds since 1970; `nil` while some are left, or when the limit is 0.
    public var reopensMilliseconds: Int64?
}

/// The quotas' limits, a sliding 24 hours each.
public struct QuotaLimits: Hashable, Sendable, Codable {
    public var updates: Int
    /// Others' attacks must not wait behind a site's own three a day; the bound only keeps a global center that went
    /// wild from reloading a site's IDS without end.
    public var globalUpdates: Int
    public var forwards: Int

    /// 3 updates and 3 forwards a day (DESIGN.md, "Defaults"); 100 updates of the global center.
    public init(updates: Int = 3, globalUpdates: Int = 100, forwards: Int = 3) {
        self.updates = updates
        self.globalUpdates = globalUpdates
        self.forwards = forwards
    }

    /// Reported updates have a count of their own with the limit of ``updates``: they are the same updates, sent to
    /// another place.
    public func limit(of kind: QuotaKind) -> Int {
        switch kind {
        case .updates, .reportedUpdates: updates
        case .globalUpdates: globalUpdates
        case .forwards: forwards
        }
    }
}
