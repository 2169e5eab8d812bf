// SPDX-License-Identifier: Apache-2.0

public import CenterAnalysis
public import CenterMonitoring
import CenterStore
public import EpitopeModel
public import NotificationDelivery
import SecureChannel
public import SettingsFiles
import SettingsYAML
public import SignatureProving

/// The global center's settings, a YAML file in which every key may be left out.
public struct GlobalCenterConfiguration: Hashable, Sendable, SettingsGroup {
    /// The settings that it shares with local centers.
    public var analysis = AnalysisSettings()
    /// The addresses of all centers over this store, such as `https://HOST:PORT`, told to its sites, and to hosts that report straight: the preferred one
    /// first, at most 8. Empty: they go on with those that they enrolled with.
    public var centers: [String] = []
    /// The addresses or networks of the relays that tell where each connection comes from (`epitope relay --tell-addresses`), at most 64.
    /// What they tell is believed, and connections from there that tell nothing are closed.
    public var relays: [String] = []
    /// How it is watched.
    public var monitoring = MonitoringSettings()
    /// What other systems are told of, and how.
    public var notifications: NotificationSettings = NotificationSettings()
    /// Whether hosts may send directly to this center.
    public var acceptsHosts = true
    /// Updates published in a sliding 24 hours, of which a tenth may rest on the word of one site and one other at most; 0: none.
    public var updatesADay = 100

    public init() {}

    public mutating func visit(_ visitor: inout some SettingsVisitor) throws {
        try analysis.visit(&visitor)
        try visitor.setting("centers", &centers)
        try visitor.setting("relays", &relays)
        try visitor.setting("acceptsHosts", &acceptsHosts)
        try visitor.setting("updatesADay", &updatesADay, in: 0...1_000_000)
        try visitor.setting("notifications", &notifications)
        try monitoring.visit(&visitor)
    }

    public static let liveKeys: Set<String> = AnalysisSettings.liveKeys.union(["updatesADay", "centers", "notifications"])

    public var faults: [SettingFault] {
        analysis.faults + SettingFault.of("centers") { () throws(EpitopeError) in try CenterList.validate(told: centers) }
            + SettingFault.of("relays") { () throws(EpitopeError) in _ = try RelayNetworks.parse(relays) }
            + monitoring.faults
    }

    /// Reads a settings file, and those of its folder.
    ///
    /// - Throws: `configuration-missing`, `configuration-invalid`, `metrics-exposed`.
    public static func load(path: String) throws(EpitopeError) -> GlobalCenterConfiguration {
        try LoadedSettings<Self>.required(from: SettingsSource(file: path)).settings
    }

    /// What signatures are proven with. A global center sees no traffic of the sites, so it has no captures of it.
    public var proving: ProverSettings { analysis.proving() }

    var policy: AnalysisPolicy {
        var policy = AnalysisPolicy(
            threshold: analysis.threshold(), targets: [.feed], forwards: .never, lifetimeDays: analysis.lifetimeDays)
        // A site speaks for many hosts.
        policy.maxProofsOfReporter = 1024
        policy.needsIndependentSites = true
        policy.publicationsADay = updatesADay
        policy.callerWindow = analysis.callerWindow
        policy.weights = analysis.weights.weights
        return policy
    }
}
