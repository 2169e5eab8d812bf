// SPDX-License-Identifier: Apache-2.0

extension CenterMetric {
    /// What people are told about a metric.
    public struct Description: Hashable, Sendable {
        /// One sentence or two: the HELP line.
        public var help: String
        /// What one of it is; empty: it has none.
        public var unit = ""
        /// The names of its labels.
        public var labels: [String] = []
        /// When somebody should look; empty: it is for orientation.
        public var alarm = ""
    }

    /// What it is, and when somebody should look.
    public var description: Description {
        switch self {
        case .received:
            Description(
                help: "Messages that came in whole, from a sender that may send them.", unit: "messages", labels: ["kind"])
        case .acknowledged:
            Description(
                help: "Messages that the sender has a receipt for: new, or known before.", unit: "messages", labels: ["kind", "was"])
        case .receivedBytes: Description(help: "Bytes of messages that came in.", unit: "bytes")
        case .refused:
            Description(
                help: "Requests that were refused, by path and error code.", unit: "requests", labels: ["path", "code"],
                alarm: "revoked or certificate codes: somebody tries with what is no longer in force")
        case .deferred:
            Description(
                help: "Requests that were told to come again later, by path and error code. Hosts keep what they have to send.",
                unit: "requests", labels: ["path", "code"],
                alarm: "grows for 10 minutes: the store, the key or the machine is not enough")
        case .failed:
            Description(
                help: "Requests on which the center failed by a fault of its own; the log has each.", unit: "requests", alarm: "grows")
        case .codeWanted: Description(help: "Packets offered without their code that had to be sent whole.", unit: "packets")
        case .extracted:
            Description(
                help: "Regions that hosts left to the center, by what was taken out of them.", unit: "packets", labels: ["outcome"])
        case .certificatesIssued:
            Description(
                help: "Certificates that were issued to hosts and sites.", unit: "certificates", labels: ["for"])
        case .tokensRefused:
            Description(
                help: "Enrolment tokens that were not accepted, by error code.", unit: "tokens", labels: ["code"],
                alarm: "grows by more than a few: somebody guesses, or uses old tokens")
        case .revocations: Description(help: "Peers whose certificates are revoked.", unit: "peers")
        case .connections:
            Description(
                help: "Connections that are open: of identified peers, and of those that have shown no certificate.",
                unit: "connections", labels: ["peer"])
        case .connectionPlaces:
            Description(
                help: "Places for connections.", unit: "connections", alarm: "connections use more than 90 % of them")
        case .connectionsOpened: Description(help: "Connections that were opened.", unit: "connections")
        case .connectionsEnded:
            Description(
                help: "Connections that the center closed.", unit: "connections", labels: ["reason"],
                alarm: "room or peer-room grows: hosts take each other's places")
        case .reportsWaiting:
            Description(
                help: "Stored reports that wait for their analysis; counted up to 100000.", unit: "reports",
                alarm: "does not fall for 10 minutes")
        case .behind:
            Description(
                help: "Age of the oldest report that waits for its analysis; 0: none waits.", unit: "seconds", alarm: "more than 60")
        case .analysed: Description(help: "Reports of which the analysis is done, whatever came of it.", unit: "reports")
        case .clusters: Description(help: "Clusters of like packets in the store.", unit: "clusters")
        case .proofs:
            Description(
                help: "Proofs that were made: with at least one proven signature, or with none.", unit: "proofs", labels: ["outcome"])
        case .proofSeconds: Description(help: "Time that proofs took.", unit: "seconds")
        case .proofsPending:
            Description(
                help: "Proofs that are asked for and not made; counted up to 100000.", unit: "proofs",
                alarm: "does not fall for 30 minutes")
        case .deliveries:
            Description(
                help: "What became of updates: at the IDS, at the global center, in the feed.", unit: "updates",
                labels: ["target", "outcome"], alarm: "refused grows")
        case .deliveriesWaiting:
            Description(
                help: "Updates on their way: pending, waiting for a quota, or leaving the IDS; counted up to 100000.", unit: "updates",
                labels: ["target", "state"], alarm: "pending or leaving for 10 minutes")
        case .forwards:
            Description(
                help: "What became of packets on their way to the global center.", unit: "packets", labels: ["outcome"],
                alarm: "refused grows")
        case .forwardsWaiting:
            Description(
                help: "Packets on their way to the global center: pending, or waiting for the quota; counted up to 100000.",
                unit: "packets", labels: ["state"], alarm: "pending for 10 minutes")
        case .withdrawals: Description(help: "Signatures that are withdrawn; counted up to 100000.", unit: "signatures")
        case .quotaUses:
            Description(
                help: "Uses of a daily quota in the last 24 hours; counted up to 100000.", unit: "uses", labels: ["quota"])
        case .quotaLimit: Description(help: "Uses of a daily quota that 24 hours have.", unit: "uses", labels: ["quota"])
        case .quotaWaiting:
            Description(
                help: "What waits for a daily quota; counted up to 100000.", unit: "items", labels: ["quota"],
                alarm: "more than 0 for a day: raise the quota, or withdraw what should not be")
        case .notices:
            Description(
                help: "What became of notices to other systems, and of attempts to tell them, by destination of the settings.",
                unit: "notices, attempts", labels: ["destination", "outcome"], alarm: "refused or dropped grows; failed grows for an hour")
        case .noticesWaiting:
            Description(
                help: "Notices that wait for a destination.", unit: "notices", labels: ["destination"],
                alarm: "does not fall for 30 minutes")
        case .feedSequence: Description(help: "Number of the last entry of this center's feed.")
        case .subscriptionSequence:
            Description(
                help: "Number of the last entry that was read of the global center's feed.",
                alarm: "behind the global center's feed_sequence")
        case .polls: Description(help: "Polls of the feed that were answered.", unit: "requests")
        case .subscribers: Description(help: "Subscribers that wait for news now.", unit: "requests")
        case .peersRead: Description(help: "Sites whose updates are read (peer-with).", unit: "sites")
        case .peerPolls:
            Description(
                help: "Polls of other sites' updates, by site and what came of them.", unit: "requests", labels: ["peer", "outcome"],
                alarm: "of a peer only failed grows")
        case .peerEntries:
            Description(
                help: "Entries of other sites' feeds: updates, and withdrawals, that were taken in, or that this version can't read.",
                unit: "entries", labels: ["outcome"], alarm: "passed-over grows")
        case .events:
            Description(
                help:
                    "Events of the audit trail that the serving process wrote, by step; what a person's command does is written by that command.",
                unit: "events", labels: ["step"])
        case .removed: Description(help: "What was removed because it was older than it is kept.", unit: "rows", labels: ["kind"])
        case .lost:
            Description(
                help: "What was dropped, evicted, passed over or not told.", labels: ["what"], alarm: "grows: see the table below")
        case .certificateEnds:
            Description(
                help: "When a certificate ends, since 1970: of the server, of the authority, of the link to the global center.",
                unit: "seconds", labels: ["certificate"], alarm: "server or link within 14 days, authority within a year")
        case .storeBytes: Description(help: "Size of the store's file.", unit: "bytes")
        case .storeUsedBytes: Description(help: "Bytes of the store's file that are in use.", unit: "bytes")
        case .storeLimitBytes:
            Description(
                help: "Bytes in use from which on packets are refused (storeMegabytes).", unit: "bytes",
                alarm: "used_bytes above 90 % of it")
        case .walBytes:
            Description(
                help: "Size of the store's log file (WAL).", unit: "bytes",
                alarm: "more than 1 GB: something keeps the store from being checkpointed")
        case .diskFreeBytes: Description(help: "Bytes that the store's disk has free.", unit: "bytes", alarm: "less than 1 GB")
        case .sampleAge:
            Description(
                help: "Age of what the gauges of the store were read from.", unit: "seconds",
                alarm: "more than 60: the store does not answer")
        case .failedSamples: Description(help: "Looks at the store for metrics that failed.")
        case .laneAge:
            Description(
                help: "How long ago each loop of the background work ended a piece of work.", unit: "seconds", labels: ["lane"])
        case .holdsWork:
            Description(
                help: "1: this center does the work of the site; 0: another one over the same database does.",
                alarm: "the sum over a site's centers is not 1 for a minute")
        case .ready: Description(help: "1: ready; 0: not (see `/ready`).", alarm: "0")
        case .reasons:
            Description(
                help: "1 for each reason that `/ready` gives now, of degraded work, too.", labels: ["code"], alarm: "1 for 5 minutes")
        case .scrapes: Description(help: "Requests that the metrics listener answered.", unit: "requests")
        case .buildInfo: Description(help: "1; the program's version and the kind of center.", labels: ["version", "kind"])
        case .openDescriptors: Description(help: "Descriptors that the process has open.", unit: "descriptors")
        case .maxDescriptors:
            Description(
                help: "Descriptors that the process may have open.", unit: "descriptors", alarm: "open_fds above 90 % of it")
        case .memoryBytes: Description(help: "Memory of the process, mapped goodware index included.", unit: "bytes")
        case .cpuSeconds: Description(help: "Processor time of the process.", unit: "seconds")
        case .startTime: Description(help: "When the process started, since 1970.", unit: "seconds", alarm: "changes unexpectedly")
        }
    }
}
