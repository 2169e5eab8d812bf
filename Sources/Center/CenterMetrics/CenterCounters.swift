// SPDX-License-Identifier: Apache-2.0

/// What a center counts while it runs. Whoever does something counts it here; nothing is counted twice, and nothing of it is stored: a
/// center that starts begins at 0, as Prometheus expects of counters.
public final class CenterCounters: Sendable {
    /// Messages whose body came in whole, from a sender that may send them.
    public let received = CounterByCase<MessageKind>()
    /// Messages that the sender has a receipt for, stored now or before.
    public let acknowledged = CounterByCase<MessageKind>()
    /// Of those the ones that the store had already.
    public let known = CounterByCase<MessageKind>()
    /// The bytes of messages that came in.
    public let receivedBytes = Counter()
    /// Requests that were refused for good, by path and code.
    public let refused = CounterByText()
    /// Requests that were told to come again, by path and code.
    public let deferred = CounterByText()
    /// Requests on which the center failed by a fault of its own.
    public let failed = Counter()
    /// Packets offered without their code that had to be sent whole.
    public let codeWanted = Counter()
    /// What was taken out of the regions that hosts left to the center.
    public let extracted = CounterByCase<RegionEnd>()
    /// Certificates that were issued.
    public let issued = CounterByCase<IssuedFor>()
    /// Tokens that were not accepted, by code.
    public let refusedTokens = CounterByText()
    /// Connections that were opened.
    public let connectionsOpened = Counter()
    /// Connections that the center closed.
    public let connectionsEnded = CounterByCase<ConnectionEnd>()
    /// Events of the audit trail that this process wrote, by step.
    public let events = CounterByText()
    /// What became of deliveries, by target and outcome.
    public let deliveries = CounterByText()
    /// What became of packets on their way to the global center, by outcome.
    public let forwards = CounterByText()
    /// What became of notices to other systems, by destination and outcome: told, refused, dropped; failed: attempts.
    public let notices = CounterByText()
    /// Proofs that were made.
    public let proofs = CounterByCase<ProofEnd>()
    /// How long proofs took, in microseconds.
    public let proofMicroseconds = Counter()
    /// What retention removed.
    public let removed = CounterByCase<RetainedKind>()
    /// What was dropped, evicted or lost.
    public let lost = CounterByCase<CenterLoss>()
    /// Polls of the feed that were answered.
    public let polls = Counter()
    /// Subscribers that wait for news now.
    public let subscribersWaiting = Gauge()
    /// Sites whose updates are read now.
    public let peersRead = Gauge()
    /// Polls of other sites' updates, by site and outcome.
    public let peerPolls = CounterByText()
    /// What became of entries of other sites' feeds.
    public let peerEntries = CounterByCase<PeerEntryEnd>()
    /// Clusters in the store; -1: not counted yet.
    public let clusters = Gauge(-1)
    /// Reports of which the analysis is done, whatever came of it.
    public let analysed = Counter()
    /// When certificates end, in milliseconds since 1970; 0: it isn't known.
    public let serverCertificateEnds = Gauge()
    public let authorityEnds = Gauge()
    /// Answers of the metrics listener.
    public let scrapes = Counter()
    /// Looks at the store for metrics that failed.
    public let failedSamples = Counter()
    /// 1: this center does the work; 0: another one over the same store does, or it has not begun.
    public let holdsWork = Gauge()
    /// The loops.
    public let lanes = LaneBeats()

    public init() {}

    /// Counts what a proof came to, and how long it took.
    public func proofEnded(_ end: ProofEnd, took duration: Duration) {
        proofs.add(end)
        let (seconds, attoseconds) = duration.components
        proofMicroseconds.add(seconds * 1_000_000 + attoseconds / 1_000_000_000_000)
    }
}
