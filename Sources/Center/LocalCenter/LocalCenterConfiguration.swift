// SPDX-License-Identifier: Apache-2.0

public import CenterAnalysis
public import CenterMonitoring
public import CenterStore
public import Correlation
public import EpitopeModel
public import NotificationDelivery
import SecureChannel
public import SettingsFiles
import SettingsYAML
public import SignatureProving
public import Signatures
public import SuricataDelivery

/// A local center's settings, a YAML file in which every key may be left out.
///
///     updatesTo: both
///     thresholdPoints: 100
///     suricata:
///       action: drop
public struct LocalCenterConfiguration: Hashable, Sendable, SettingsGroup {
    /// Where this site's own updates go.
    public enum UpdatesTo: String, Hashable, Sendable, Codable, CaseIterable {
        case ids
        case global
        case both
    }

    /// The settings that it shares with the global center.
    public var analysis = AnalysisSettings()
    /// The addresses of all centers over this store, such as `https://HOST:PORT`, told to its hosts: the preferred one
    /// first, at most 8. Empty: they go on with those that they enrolled with.
    public var centers: [String] = []
    /// The addresses or networks of the relays that tell where each connection comes from (`epitope relay --tell-addresses`), at most 64.
    /// What they tell is believed, and connections from there that tell nothing are closed.
    public var relays: [String] = []
    /// How it is watched.
    public var monitoring = MonitoringSettings()
    /// What other systems are told of, and how.
    public var notifications: NotificationSettings = NotificationSettings()
    /// Whether this site makes updates, and takes those of the global center.
    public var updates = true
    /// Where this site's own updates go.
    public var updatesTo = UpdatesTo.ids
    /// Whether packets are forwarded to the global center.
    public var forwarding = true
    /// Forwards packets below the threshold too, so that sites can correlate evidence on which none of them acts alone.
    public var forwardBelowThreshold = false
    /// Which is served first: the IDS or the global center.
    public var first = DeliveryOrder.ids
    /// The reports whose points are added up.
    public var counter = AttackThreshold.Counter.cluster
    /// The evidence from which on a rule may drop: `reported` is one host's word, `corroborated` several hosts' or what the site's
    /// captures show, `confirmed` five hosts'.
    public var dropFrom = EvidenceGrade.corroborated
    /// What becomes of an update that is proven. It goes out (`automatic`), waits for a person (`approve`), or is only shown (`observe`).
    public var mode = DeliveryMode.automatic
    /// Exceptions from the mode, at most 64: `network 192.0.2.0/24: approve` (where hosts reported the attack from), `port 443: observe` or
    /// `port 53/udp: approve` (which the rule is for), `grade reported: approve` (what it rests on). Of several that apply the strictest counts.
    public var modes: [String] = []
    /// This site's updates for its IDS in a sliding 24 hours, and as many for the global center; 0: none goes out.
    public var updatesADay = 3
    /// Packets forwarded in a sliding 24 hours; 0: none goes out.
    public var forwardsADay = 3
    /// Updates of the global center for this site's IDS in a sliding 24 hours; 0: none goes out.
    public var globalUpdatesADay = 100
    /// The folder with this center's identity at the global center; `nil`: there is none.
    public var globalCenterState: String?
    /// Whether other sites that have a token (`token --site`) may read the updates that this site's own hosts speak for. Whose updates
    /// this site reads is another matter (`peer-with`).
    public var peers = false
    /// Whether updates of the global center are taken.
    public var subscribing = true
    /// The intrusion detection system; `nil`: there is none, and updates for it wait.
    public var suricata: SuricataSettings?
    /// Captures of the site's traffic: each a file, a folder, or a path with `*` in its last part.
    public var captures: [String] = []

    public init() {}

    public mutating func visit(_ visitor: inout some SettingsVisitor) throws {
        try analysis.visit(&visitor)
        try visitor.setting("centers", &centers)
        try visitor.setting("relays", &relays)
        try visitor.setting("updates", &updates)
        try visitor.setting("updatesTo", &updatesTo)
        try visitor.setting("forwarding", &forwarding)
        try visitor.setting("forwardBelowThreshold", &forwardBelowThreshold)
        try visitor.setting("first", &first)
        try visitor.setting("counter", &counter)
        try visitor.setting("dropFrom", &dropFrom)
        try visitor.setting("mode", &mode)
        try visitor.setting("modes", &modes)
        try visitor.setting("updatesADay", &updatesADay, in: 0...1_000_000)
        try visitor.setting("forwardsADay", &forwardsADay, in: 0...1_000_000)
        try visitor.setting("globalUpdatesADay", &globalUpdatesADay, in: 0...1_000_000)
        try visitor.setting("globalCenterState", &globalCenterState)
        try visitor.setting("peers", &peers)
        try visitor.setting("subscribing", &subscribing)
        try visitor.setting("suricata", &suricata)
        try visitor.setting("captures", &captures)
        try visitor.setting("notifications", &notifications)
        try monitoring.visit(&visitor)
    }

    public static let liveKeys: Set<String> = AnalysisSettings.liveKeys.union([
        "updatesTo", "forwarding", "forwardBelowThreshold", "dropFrom", "mode", "modes", "updatesADay", "forwardsADay",
        "globalUpdatesADay", "centers", "notifications",
    ])

    public var faults: [SettingFault] {
        analysis.faults + (globalCenterState == "" ? [AnalysisSettings.emptyPath("globalCenterState")] : [])
            + AnalysisSettings.faults("captures", captures)
            + SettingFault.of("centers") { () throws(EpitopeError) in try CenterList.validate(told: centers) }
            + modeFaults + SettingFault.of("relays") { () throws(EpitopeError) in _ = try RelayNetworks.parse(relays) } + monitoring.faults
    }

    /// Reads a settings file, and those of its folder.
    ///
    /// - Throws: `configuration-missing`, `configuration-invalid`, `metrics-exposed`.
    public static func load(path: String) throws(EpitopeError) -> LocalCenterConfiguration {
        try LoadedSettings<Self>.required(from: SettingsSource(file: path)).settings
    }
}

extension LocalCenterConfiguration {
    static let maxModes = 64

    /// The modes as the store takes them. What can't be read was refused before.
    public var modePolicy: ModePolicy { ModePolicy(mode: mode, exceptions: modes.compactMap { ModeException($0) }) }

    private var modeFaults: [SettingFault] {
        let unknown = modes.enumerated().filter { ModeException($1) == nil }.map { index, text in
            SettingFault(
                "modes.[\(index)]",
                EpitopeError(
                    .configurationInvalid, "the setting 'modes' has '\(text)', which is no exception from the mode",
                    remedy: "write it as \"network 192.0.2.0/24: approve\", \"port 443: observe\" or \"grade reported: approve\""))
        }
        guard modes.count > Self.maxModes else { return unknown }
        return unknown + [
            SettingFault(
                "modes",
                EpitopeError(
                    .configurationInvalid, "the setting 'modes' has \(modes.count) exceptions, \(Self.maxModes) are allowed",
                    remedy: "name larger networks"))
        ]
    }

    /// The daily quotas as the store takes them.
    public var quotaLimits: QuotaLimits {
        QuotaLimits(updates: updatesADay, globalUpdates: globalUpdatesADay, forwards: forwardsADay)
    }

    /// What signatures are proven with.
    public var proving: ProverSettings { analysis.proving(captures: captures) }

    /// What signatures are proven with.
    ///
    /// - Parameter isEngineAsked: whether Suricata runs over flows that carried an attack.
    public func proving(isEngineAsked: Bool) -> ProverSettings {
        var settings = proving
        settings.isEngineAsked = isEngineAsked
        return settings
    }

    /// What is done with reports. Without a global center nothing waits for one.
    func policy(hasGlobalCenter: Bool) -> AnalysisPolicy {
        var targets: Set<DeliveryTarget> = []
        if updates, updatesTo != .global { targets.insert(.ids) }
        if updates, updatesTo != .ids, hasGlobalCenter { targets.insert(.global) }
        var policy = AnalysisPolicy(
            threshold: analysis.threshold(counter: counter), targets: targets,
            forwards: !forwarding || !hasGlobalCenter ? .never : forwardBelowThreshold ? .all : .reached,
            lifetimeDays: analysis.lifetimeDays)
        policy.dropsFrom = dropFrom
        policy.callerWindow = analysis.callerWindow
        policy.weights = analysis.weights.weights
        policy.tellsPeers = peers && updates
        return policy
    }
}
