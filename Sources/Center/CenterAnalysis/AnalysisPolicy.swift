// SPDX-License-Identifier: Apache-2.0

public import CenterStore
public import Correlation
import EpitopeModel
public import Signatures

/// Which packets a local center forwards.
public enum ForwardRule: String, Hashable, Sendable, Codable, CaseIterable {
    case never
    /// Packets of clusters that reached the threshold.
    case reached
    /// Every packet that brings evidence of its own, also below the threshold: the global center can correlate what
    /// several sites see, though none of them has enough evidence alone.
    case all
}

/// What a center does with reports.
public struct AnalysisPolicy: Hashable, Sendable {
    public var threshold: AttackThreshold
    /// Where updates go; empty: none are made.
    public var targets: Set<DeliveryTarget>
    public var forwards: ForwardRule
    /// The lifetime of updates in days, at least 1.
    public var lifetimeDays: Int
    /// How many clusters have their proofs on one reporter's word, or on that of one machine; what several report counts for one of them.
    /// Beyond it, the next ones get theirs when somebody else reports them, too, or older ones were removed. As many rule numbers, updates
    /// and deliveries they have at most, and as many packets that nobody else reports wait for the quota of forwards.
    public var maxProofsOfReporter = 64
    /// Whether nothing is published on the word of one site or host alone that is not trusted.
    public var needsIndependentSites = false
    /// How many updates are published in a day; `nil`: there is no bound.
    public var publicationsADay: Int?
    /// How many points each kind of evidence counts.
    public var weights = EvidenceWeights()
    /// In bytes: the length of the caller window, one of ``Signatures/CallerWindow/lengths``.
    public var callerWindow = CallerWindow.length
    /// Whether updates that this site's own hosts speak for are told to its peers.
    public var tellsPeers = false
    /// The grade from which on evidence is enough for a rule that drops.
    public var dropsFrom = EvidenceGrade.corroborated

    public init(threshold: AttackThreshold, targets: Set<DeliveryTarget>, forwards: ForwardRule, lifetimeDays: Int) {
        self.threshold = threshold
        self.targets = targets
        self.forwards = forwards
        self.lifetimeDays = lifetimeDays
    }
}

extension AnalysisPolicy {
    /// Whether the names of one machine count as one reporter of an attack. At a global center two that share a network count as two
    /// reporters of which neither is independent of the other (``Correlation/PublicationDecision``).
    var countsMachines: Bool { !needsIndependentSites }

    /// Who sent a report, and from where: hosts of a site are told apart by the machine, at a global center whoever reports by the
    /// network. Those of whom it isn't known are held to be one.
    ///
    /// - Parameter address: where a host's connection came from.
    func source(of reporter: String, at address: IPAddress?, in transaction: StoreTransaction) throws -> ReportSource {
        let network = address.map { countsMachines ? IPNetwork.machine(of: $0) : IPNetwork.site(of: $0) }?.description
        let machine = try network ?? (countsMachines ? nil : transaction.firstNetwork(of: reporter))
        return ReportSource(reporter: reporter, machine: machine ?? "unknown")
    }
}
