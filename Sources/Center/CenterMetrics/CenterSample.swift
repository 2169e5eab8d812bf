// SPDX-License-Identifier: Apache-2.0

/// What a store has, as far as that can be had at a cost that does not grow with the store.
public struct StoreSample: Hashable, Sendable {
    /// Up to this number things are counted.
    public static let maxCount = 100_000

    public var reportsWaiting = 0
    /// Age of the oldest report that waits, in seconds.
    public var behindSeconds = 0.0
    public var proofsPending = 0
    /// Updates on their way, by target and state.
    public var deliveries: [[String]: Int] = [:]
    /// Packets on their way to the global center, by state.
    public var forwards: [String: Int] = [:]
    public var withdrawals = 0
    public var revocations = 0
    /// Uses, limit and what waits, by quota.
    public var quotas: [String: Quota] = [:]
    /// Notices that wait, by destination.
    public var notices: [String: Int] = [:]
    public var feedSequence: Int64 = 0
    public var subscriptionSequence: Int64 = 0
    /// How many standbys have each commit, of a store in PostgreSQL; `nil`: none is asked for, or the server doesn't tell.
    public var synchronousStandbys: Int?
    public var fileBytes: Int64 = 0
    public var usedBytes: Int64 = 0
    public var limitBytes: Int64?
    public var walBytes: Int64 = 0
    /// `nil`: the file system doesn't tell.
    public var diskFreeBytes: Int64?

    public init() {}

    /// A daily quota.
    public struct Quota: Hashable, Sendable {
        public var uses: Int
        public var limit: Int
        public var waiting: Int

        public init(uses: Int, limit: Int, waiting: Int) {
            self.uses = uses
            self.limit = limit
            self.waiting = waiting
        }
    }
}

/// What a process takes of its machine; each `nil` where the kernel doesn't tell.
public struct ProcessSample: Hashable, Sendable {
    public var openDescriptors: Int?
    public var maxDescriptors: Int?
    public var memoryBytes: Int64?
    public var cpuSeconds: Double?
    /// Since 1970.
    public var startSeconds: Double?

    public init() {}
}

/// Who is connected.
public struct ConnectionUse: Hashable, Sendable {
    public var identified: Int
    public var unidentified: Int
    public var places: Int

    public init(identified: Int, unidentified: Int, places: Int) {
        self.identified = identified
        self.unidentified = unidentified
        self.places = places
    }
}

/// All that the metrics are made of, besides what is counted.
public struct CenterSample: Hashable, Sendable {
    /// `local-center` or `global-center`.
    public var kind: String
    public var version: String
    /// `nil`: the store has not answered yet.
    public var store: StoreSample?
    /// Of that, in seconds.
    public var storeAgeSeconds: Double?
    public var connections: ConnectionUse?
    public var process = ProcessSample()
    /// When the certificate of the link to the global center ends, in milliseconds since 1970; `nil`: there is none.
    public var linkEndsMilliseconds: Int64?
    /// `nil`: nobody has looked yet.
    public var readiness: Readiness?

    public init(kind: String, version: String) {
        self.kind = kind
        self.version = version
    }
}
