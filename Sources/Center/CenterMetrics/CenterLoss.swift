// SPDX-License-Identifier: Apache-2.0

/// What a center gave up: dropped, evicted, passed over or not told. Where one of these grows, something is missing that was asked for.
public enum CenterLoss: String, Hashable, Sendable, CaseIterable {
    case reportsPutAside = "reports-put-aside"
    case proofsPutAside = "proofs-put-aside"
    case proofsGivenUp = "proofs-given-up"
    case feedEntriesPassedOver = "feed-entries-passed-over"
    case forwardsGivenUp = "forwards-given-up"
    case updatesDamaged = "updates-damaged"
    case clustersLeftMemory = "clusters-left-memory"
    case engineChecksWithoutRoom = "engine-checks-without-room"
    case engineChecksUnanswered = "engine-checks-unanswered"
    case captureLooksWithoutRoom = "capture-looks-without-room"
    case refusalsNotLogged = "refusals-not-logged"
    case scrapesTurnedAway = "scrapes-turned-away"
    case noticesDropped = "notices-dropped"

    /// What it is, and what it means.
    public var meaning: String {
        switch self {
        case .reportsPutAside: "stored reports whose analysis failed again and again by itself; each is an event `unusable` with the reason"
        case .proofsPutAside: "proofs that could not be made or stored; the attack's next report asks for another"
        case .proofsGivenUp:
            "proofs that took too long, as where the goodware does not answer; made again once it does, or more is reported"
        case .feedEntriesPassedOver: "entries of the global center's feed of which nothing could be made; asked for again at the next start"
        case .forwardsGivenUp: "packets that waited for the quota of forwards for as long as packets are kept"
        case .updatesDamaged: "updates whose record could not be read; they are made anew from the packets"
        case .clustersLeftMemory:
            "clusters, or signatures of clusters, that left memory for newer ones; a packet like theirs may begin another cluster"
        case .engineChecksWithoutRoom: "signatures that Suricata is not asked about: too many wait; their rules only alert"
        case .engineChecksUnanswered: "signatures about which Suricata gave no answer, however often it was asked; their rules only alert"
        case .captureLooksWithoutRoom: "clusters for whose code captures are not looked at again; their next report has it looked for"
        case .refusalsNotLogged: "refused requests without a line in the log, beyond 120 lines a minute"
        case .noticesDropped:
            "notices to other systems that were dropped: more waited for a destination than may, or it refused them for good"
        case .scrapesTurnedAway: "connections to the metrics listener beyond its number, or that took too long"
        }
    }
}

/// Why a center closed a connection.
public enum ConnectionEnd: String, Hashable, Sendable, CaseIterable {
    case unidentifiedRoom = "unidentified-room"
    case machineRoom = "machine-room"
    case room = "room"
    case peerRoom = "peer-room"
    case unidentifiedTime = "unidentified-time"
    case answerNotTaken = "answer-not-taken"
    case relayUntold = "relay-untold"

    /// What it means.
    public var meaning: String {
        switch self {
        case .unidentifiedRoom: "too many that showed no certificate"
        case .machineRoom: "too many of one machine that showed no certificate"
        case .room: "no place left: the identified peer that asked for nothing for the longest goes"
        case .peerRoom: "too many by one identity"
        case .unidentifiedTime: "showed no certificate within 15 seconds"
        case .answerNotTaken: "did not take its answer"
        case .relayUntold: "a relay of the setting `relays` that did not tell whose connection it was"
        }
    }
}

/// What retention removes, by its age.
public enum RetainedKind: String, Hashable, Sendable, CaseIterable {
    case reports
    case events
    case updates
    case evidence
    case clusters
    case tokens
    case withheld
    case quotaUses = "quota-uses"
}

/// What is sent to a center and stored.
public enum MessageKind: String, Hashable, Sendable, CaseIterable {
    case packet
    case forward
    case update
}

/// What became of a proof.
public enum ProofEnd: String, Hashable, Sendable, CaseIterable {
    case proven
    case unproven
}

/// What came of a poll of another site's updates.
public enum PeerPollEnd: String, Hashable, Sendable, CaseIterable {
    case news
    case nothing
    case failed
}

/// What became of an entry of another site's feed.
public enum PeerEntryEnd: String, Hashable, Sendable, CaseIterable {
    case update
    case withdrawal
    /// It can't be taken in by this version.
    case passedOver = "passed-over"
}

/// What a center took out of a region that a host had left to it.
public enum RegionEnd: String, Hashable, Sendable, CaseIterable {
    case code
    case callerWindow = "caller-window"
    case unique
    /// The caller window, since nothing was known to be unique.
    case notUnique = "not-unique"
}

/// What a certificate was issued for.
public enum IssuedFor: String, Hashable, Sendable, CaseIterable {
    case enrolment
    case renewal
}
