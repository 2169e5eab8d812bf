// SPDX-License-Identifier: Apache-2.0

/// How an order of a version spreads over the hosts: a share of them first, the rest once those report that they are well; and it stops by
/// itself when they don't. Decided from counts alone, whenever a host asks.
public struct Rollout: Hashable, Sendable {
    /// How far it has come.
    public enum State: String, Hashable, Sendable, Codable, StoredWord {
        /// A share of the hosts gets it.
        case first
        /// All get it that ask.
        case rest
        /// Nobody gets it any more: too many hosts are not well by it, or an operator stopped it.
        case stopped
        /// A later order took its place before it had spread.
        case replaced
        /// It had spread to all that asked before a later order took its place.
        case former
    }

    /// What an operator orders it with.
    public struct Terms: Hashable, Sendable, Codable {
        /// Of the hosts, in percent, that get it first: at least one does.
        public var share: Int
        /// So many of them may fail before it is stopped; of the rest besides one in ``restFailures``.
        public var tolerated: Int
        /// Within how long a host's new version is to protect, in seconds; it goes back by itself then.
        public var wellSeconds: Int
        /// Within how long a host is to say so, in seconds: one that says nothing has failed.
        public var reportSeconds: Int

        /// Of ``tolerated``: more hosts than one center has.
        public static let tolerations = 0...1_000_000
        /// Of ``share``.
        public static let shares = 1...100
        /// Of ``wellSeconds``.
        public static let wellTimes = 10...3600
        /// Of ``reportSeconds``.
        public static let reportTimes = 60...604_800

        public init(share: Int = 10, tolerated: Int = 0, wellSeconds: Int = 120, reportSeconds: Int = 1800) {
            self.share = share
            self.tolerated = min(max(tolerated, Self.tolerations.lowerBound), Self.tolerations.upperBound)
            self.wellSeconds = wellSeconds
            self.reportSeconds = reportSeconds
        }
    }

    /// How the hosts fare that it was given to.
    public struct Counts: Hashable, Sendable {
        /// Hosts of the architecture that asked within a day.
        public var known: Int
        public var given: Int
        public var well: Int
        /// That went back, or refused it.
        public var failed: Int
        /// That have said nothing within their time.
        public var silent: Int

        public init(known: Int, given: Int = 0, well: Int = 0, failed: Int = 0, silent: Int = 0) {
            self.known = known
            self.given = given
            self.well = well
            self.failed = failed
            self.silent = silent
        }
    }

    public var state: State
    public var terms: Terms

    /// One in so many of the rest may fail besides.
    static let restFailures = 50

    public init(state: State = .first, terms: Terms) {
        self.state = state
        self.terms = terms
    }

    /// How many get it first.
    public func firstWave(of known: Int) -> Int { max(1, (known * terms.share + 99) / 100) }

    /// What becomes of it by how the hosts fare.
    ///
    /// - Returns: the state, and why it is stopped.
    public func advanced(by counts: Counts) -> (state: State, reason: String?) {
        guard state == .first || state == .rest else { return (state, nil) }
        let tolerated = terms.tolerated + (state == .rest ? counts.given / Self.restFailures : 0)
        guard counts.failed + counts.silent <= tolerated else {
            return (.stopped, "\(counts.failed) of \(counts.given) hosts are not well by it, and \(counts.silent) say nothing")
        }
        let isThrough = state == .first && counts.well >= 1 && counts.well + counts.failed + counts.silent >= firstWave(of: counts.known)
        return (isThrough ? .rest : state, nil)
    }

    /// Whether one more host gets it.
    public func admits(beside counts: Counts) -> Bool {
        switch state {
        case .first: counts.given < firstWave(of: counts.known)
        case .rest: true
        case .stopped, .replaced, .former: false
        }
    }
}
