// SPDX-License-Identifier: Apache-2.0

/// Whether a center does its work, and if not, why: an answer for whoever sends it work or starts it anew.
public struct Readiness: Hashable, Sendable {
    /// The reasons, each with a stable code. Documentation/Reference/Metrics.md lists them; a test compares.
    public enum Code: String, Hashable, Sendable, CaseIterable {
        case starting
        case diskFull = "disk-full"
        case storeFailed = "store-failed"
        case storeUnusable = "store-unusable"
        case storeStalled = "store-stalled"
        case noSynchronousStandby = "no-synchronous-standby"
        case laneWedged = "lane-wedged"
        case suricataLost = "suricata-lost"
        case keyUnavailable = "key-unavailable"
        case authorityElsewhere = "authority-elsewhere"
        case certificateEnded = "certificate-ended"
        case certificateEnding = "certificate-ending"
        case linkFailing = "link-failing"
        case analysisFailing = "analysis-failing"
        case rulesFailing = "rules-failing"
        case settingsRefused = "settings-refused"

        /// Whether the center is ready all the same: it takes packets and protects its site, and something beside that fails.
        public var isDegraded: Bool {
            switch self {
            case .starting, .diskFull, .storeFailed, .storeUnusable, .storeStalled, .noSynchronousStandby, .laneWedged, .suricataLost,
                .keyUnavailable, .authorityElsewhere, .certificateEnded:
                false
            case .certificateEnding, .linkFailing, .analysisFailing, .rulesFailing, .settingsRefused: true
            }
        }

        /// What it means, and what to do.
        public var meaning: String {
            switch self {
            case .starting: "The center does not listen for hosts yet. If it lasts: see the log."
            case .diskFull:
                "Nothing more can be stored: the disk is full or has less than `diskReserveMegabytes` free, or `storeMegabytes` are in use. Hosts keep their packets. Free room, or change the bound."
            case .storeFailed:
                "The store can't be written, as on a read-only or failing disk. See rights, mount options and the system's log."
            case .storeUnusable: "The store's file is damaged: restore a backup."
            case .storeStalled: "A small write has not ended for 10 seconds: the disk hangs, or another process keeps the store locked."
            case .noSynchronousStandby:
                "The store is in PostgreSQL, and no standby has what is committed, though one should: by the server's `synchronous_standby_names`, or by the setting `store.synchronousStandby`. Bring one back: what is acknowledged now would be lost with the primary."
            case .laneWedged:
                "A loop of the background work has not come forward although work waits: `part` says which. Restart the center, and report it with the log."
            case .suricataLost:
                "Suricata is configured, and no program listens on its command socket: attacks are recorded, and no rule can go live. Start Suricata."
            case .keyUnavailable: "The process with the authority's key does not answer: no host can enrol or renew. Start it."
            case .authorityElsewhere:
                "The center's authority was retired on another of its machines, and this one doesn't have the next: it lets nobody in. Copy that machine's files here (`Documentation/Operating/Center.md`, another authority)."
            case .certificateEnded:
                "The center's own certificate, or the authority's, has ended: no host can connect. `epitope local-center renew`; after the authority's end all hosts have to be enrolled again at a new center."
            case .certificateEnding:
                "The certificate of the server or of the link ends within 14 days, or the authority's within 180, and should have been renewed or replaced (`rotate-authority`). See the log."
            case .linkFailing:
                "The global center is not reached, or turns this site away. The site is protected by its own rules meanwhile; what is to be forwarded waits."
            case .analysisFailing: "A step of the analysis fails and is tried again. See the log."
            case .rulesFailing: "Suricata runs, and does not take the rules as it should. See the log and `status`."
            case .settingsRefused:
                "A reload found settings that can't be used: the previous ones are in force. `epitope local-center check`, mend them, and reload."
            }
        }
    }

    /// One reason.
    public struct Reason: Hashable, Sendable {
        public var code: Code
        /// The part of the work that it is about; `nil`: the code says it.
        public var part: String?
        /// The code of the failure behind it, where there is one.
        public var cause: String?

        public init(_ code: Code, part: String? = nil, cause: String? = nil) {
            self.code = code
            self.part = part
            self.cause = cause
        }
    }

    /// In the order of their codes' declaration.
    public var reasons: [Reason]

    /// Whether work should be sent to the center.
    public var isReady: Bool { reasons.allSatisfy(\.code.isDegraded) }

    public init(reasons: [Reason]) {
        let order = Dictionary(Code.allCases.enumerated().map { ($1, $0) }) { first, _ in first }
        self.reasons = reasons.sorted { (order[$0.code] ?? 0, $0.part ?? "") < (order[$1.code] ?? 0, $1.part ?? "") }
    }
}

/// What readiness is decided by.
public struct ReadinessInputs: Hashable, Sendable {
    /// Whether it listens for hosts.
    public var isListening = false
    /// The outcome of a small write: an error's code; `nil`: it was stored.
    public var writeFailure: String?
    /// Whether a synchronous standby is missing.
    public var lacksStandby = false
    /// For how long a write has not ended, in seconds; `nil`: none is under way.
    public var writePendingSeconds: Double?
    /// The error codes of parts of the work that fail now, by part (`ServiceHealth`).
    public var failures: [String: String] = [:]
    /// How long ago a message could not be stored, in seconds; `nil`: the last one was.
    public var storeFailedSeconds: Double?
    public var lanes: [LaneAge] = []
    /// The loops with work that waits and none done, each with for how long, in seconds.
    public var standing: [LaneAge] = []
    /// Why Suricata can't be reached; `nil`: it can, or none is configured.
    public var suricataFailure: String?
    public var nowMilliseconds: Int64 = 0
    /// When certificates end, in milliseconds since 1970; 0 or `nil`: it isn't known.
    public var serverEnds: Int64 = 0
    public var authorityEnds: Int64 = 0
    public var linkEnds: Int64?

    public init() {}
}

extension Readiness {
    /// A failure to store a message is believed for so long after a small write was stored: disks fill up and are freed.
    static let storeFailureSeconds = 15.0
    static let stalledSeconds = 10.0
    private static let day: Int64 = 24 * 3600 * 1000

    /// Decides by what was seen.
    public init(_ seen: ReadinessInputs) {
        var reasons = Self.store(seen) + Self.lanes(seen) + Self.certificates(seen)
        if !seen.isListening { reasons.append(Reason(.starting)) }
        if seen.lacksStandby { reasons.append(Reason(.noSynchronousStandby)) }
        if let failure = seen.suricataFailure { reasons.append(Reason(.suricataLost, cause: failure)) }
        for (part, cause) in seen.failures {
            switch part {
            case "key": reasons.append(Reason(.keyUnavailable, cause: cause))
            case "authority": reasons.append(Reason(.authorityElsewhere))
            case "settings": reasons.append(Reason(.settingsRefused, cause: cause))
            case "analysis": reasons.append(Reason(.analysisFailing, cause: cause))
            case "forwarding", "subscription": reasons.append(Reason(.linkFailing, part: part, cause: cause))
            case "ids" where seen.suricataFailure == nil: reasons.append(Reason(.rulesFailing, cause: cause))
            default: break
            }
        }
        self.init(reasons: reasons)
    }

    private static func store(_ seen: ReadinessInputs) -> [Reason] {
        let recent = (seen.storeFailedSeconds ?? .infinity) < storeFailureSeconds ? seen.failures["store"] : nil
        if let cause = seen.writeFailure ?? recent {
            switch cause {
            case "disk-full": return [Reason(.diskFull)]
            case "store-unusable": return [Reason(.storeUnusable)]
            default: return [Reason(.storeFailed, cause: cause == Code.storeFailed.rawValue ? nil : cause)]
            }
        }
        return (seen.writePendingSeconds ?? 0) > stalledSeconds ? [Reason(.storeStalled)] : []
    }

    private static func lanes(_ seen: ReadinessInputs) -> [Reason] {
        let stuck = (seen.lanes + seen.standing).filter { $0.seconds > $0.limit }
        return Set(stuck.map(\.lane.rawValue)).map { Reason(.laneWedged, part: $0) }
    }

    private static func certificates(_ seen: ReadinessInputs) -> [Reason] {
        func reason(_ part: String, _ ends: Int64, warning days: Int64, ended: Code) -> Reason? {
            guard ends > 0 else { return nil }
            if ends <= seen.nowMilliseconds { return Reason(ended, part: part) }
            return ends - seen.nowMilliseconds < days * day ? Reason(.certificateEnding, part: part) : nil
        }
        return [
            reason("server", seen.serverEnds, warning: 14, ended: .certificateEnded),
            reason("authority", seen.authorityEnds, warning: 180, ended: .certificateEnded),
            // A site whose link has ended is protected still.
            reason("link", seen.linkEnds ?? 0, warning: 14, ended: .linkFailing),
        ].compactMap(\.self)
    }
}

/// For how long work has waited while none was done.
public struct Standstill: Sendable {
    private var done: Int64?
    private var since: ContinuousClock.Instant?

    public init() {}

    /// Takes another look.
    ///
    /// - Parameters:
    ///   - waiting: how much work waits.
    ///   - done: how much was done so far.
    /// - Returns: for how long it has stood still, in seconds; 0: it does not.
    public mutating func look(waiting: Int, done: Int64, now: ContinuousClock.Instant) -> Double {
        guard waiting > 0, self.done == done, let since else {
            (self.done, since) = (done, waiting > 0 ? now : nil)
            return 0
        }
        return (now - since) / .seconds(1)
    }
}

/// Whether the center's loops turn: if not, it is of no use any more, and should be started anew.
public struct Liveness: Hashable, Sendable {
    /// For so long the shared threads may run nothing of ours, in seconds.
    static let poolSeconds = 60.0
    /// A loop that is held stuck, and does not go on for so much longer, does not by itself.
    static let patience = 5.0

    /// The loops that do not turn; `pool`: the threads that all share.
    public var stuck: [String]

    /// - Parameter poolAge: how long ago the shared threads ran a task; `nil`: the center has just begun.
    public init(poolAge: Double?, lanes: [LaneAge]) {
        stuck = lanes.filter { $0.seconds > $0.limit * Self.patience }.map(\.lane.rawValue).sorted()
        if let poolAge, poolAge > Self.poolSeconds { stuck.append("pool") }
    }

    /// Whether all turn.
    public var isAlive: Bool { stuck.isEmpty }
}
