// SPDX-License-Identifier: Apache-2.0

internal import CenterAnalysis
public import CenterStore
public import Correlation
public import EpitopeModel
internal import FoundationEssentials
internal import SettingsFiles
public import SignatureProving
internal import Signatures
public import SuricataDelivery

/// A local center's settings, a JSON file in which every key may be left out.
///
///     {"updatesTo": "both", "forwarding": true, "first": "ids", "thresholdPoints": 100, "suricata": {"action": "drop"}}
public struct LocalCenterConfiguration: Hashable, Sendable, Codable {
    /// Where this site's own updates go.
    public enum UpdatesTo: String, Hashable, Sendable, Codable, CaseIterable {
        case ids
        case global
        case both
    }

    /// Whether this site makes updates, and takes those of the global center.
    public var updates = true
    public var updatesTo = UpdatesTo.ids
    /// Whether packets are forwarded to the global center.
    public var forwarding = true
    /// Forwards packets below the threshold too, so that sites can correlate what none of them acts upon alone.
    public var forwardBelowThreshold = false
    public var first = DeliveryOrder.ids
    /// At least 1.
    public var thresholdPoints = 100
    /// How long evidence counts, in hours, at least 1.
    public var thresholdHours = 24
    public var maxPointsPerReporter = 100
    public var counter = AttackThreshold.Counter.cluster
    /// Each in a sliding 24 hours; 0: none goes out.
    public var updatesADay = 3
    public var forwardsADay = 3
    public var globalUpdatesADay = 100
    /// 1 to 3650.
    public var lifetimeDays = SignatureUpdate.defaultLifetimeDays
    /// How long packets and events are kept, in days, at least 1.
    public var keepDays = 30
    /// The folder with this center's identity at the global center; `nil`: there is none.
    public var globalCenterState: String?
    /// Whether updates of the global center are taken.
    public var subscribing = true
    /// The intrusion detection system; `nil`: there is none, and updates for it wait.
    public var suricata: SuricataSettings?

    /// The path of the goodware index; `nil`: there is none, and unless ``requireGoodware`` is off nothing is delivered.
    public var goodware: String?
    public var requireGoodware = true
    /// Captures of the site's traffic: each a file, a folder, or a path with `*` in its last part.
    public var captures: [String] = []
    /// Captures of traffic that is held benign, in the same form.
    public var benignCaptures: [String] = []
    /// The largest share of a cluster's packets that its signatures may miss, 0 to 0.8.
    public var noiseShare = ProvingMaterial.defaultNoiseShare

    public init() {}

    public init(from decoder: any Decoder) throws {
        try ConfigurationFile.refuseUnknown(in: decoder, known: CodingKeys.allCases.map(\.rawValue))
        let values = try decoder.container(keyedBy: CodingKeys.self)
        func read<Value: Decodable>(_ key: CodingKeys, _ value: inout Value) throws {
            value = try values.decodeIfPresent(Value.self, forKey: key) ?? value
        }
        try read(.updates, &updates)
        try read(.updatesTo, &updatesTo)
        try read(.forwarding, &forwarding)
        try read(.forwardBelowThreshold, &forwardBelowThreshold)
        try read(.first, &first)
        try read(.thresholdPoints, &thresholdPoints)
        try read(.thresholdHours, &thresholdHours)
        try read(.maxPointsPerReporter, &maxPointsPerReporter)
        try read(.counter, &counter)
        try read(.updatesADay, &updatesADay)
        try read(.forwardsADay, &forwardsADay)
        try read(.globalUpdatesADay, &globalUpdatesADay)
        try read(.lifetimeDays, &lifetimeDays)
        try read(.keepDays, &keepDays)
        globalCenterState = try values.decodeIfPresent(String.self, forKey: .globalCenterState)
        try read(.subscribing, &subscribing)
        if try values.contains(.suricata) && !values.decodeNil(forKey: .suricata) {
            try ConfigurationFile.refuseUnknown(
                in: values.superDecoder(forKey: .suricata), known: SuricataSettings.settingNames)
        }
        suricata = try values.decodeIfPresent(SuricataSettings.self, forKey: .suricata)
        goodware = try values.decodeIfPresent(String.self, forKey: .goodware)
        try read(.requireGoodware, &requireGoodware)
        try read(.captures, &captures)
        try read(.benignCaptures, &benignCaptures)
        try read(.noiseShare, &noiseShare)
        try check()
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case updates, updatesTo, forwarding, forwardBelowThreshold, first, thresholdPoints, thresholdHours
        case maxPointsPerReporter, counter, updatesADay, forwardsADay, globalUpdatesADay, lifetimeDays
        case keepDays, globalCenterState, subscribing, suricata
        case goodware, requireGoodware, captures, benignCaptures, noiseShare
    }

    private func check() throws {
        let bounded: [(String, Int, ClosedRange<Int>)] = [
            ("thresholdPoints", thresholdPoints, 1...1_000_000), ("thresholdHours", thresholdHours, 1...8760),
            ("maxPointsPerReporter", maxPointsPerReporter, 1...1_000_000), ("updatesADay", updatesADay, 0...1_000_000),
            ("forwardsADay", forwardsADay, 0...1_000_000), ("globalUpdatesADay", globalUpdatesADay, 0...1_000_000),
            ("lifetimeDays", lifetimeDays, 1...SignatureUpdate.maxLifetimeDays), ("keepDays", keepDays, 1...36500),
        ]
        for (name, value, bounds) in bounded where !bounds.contains(value) {
            throw EpitopeError(
                .configurationInvalid, "the setting '\(name)' is \(value)",
                remedy: "set it to \(bounds.lowerBound) to \(bounds.upperBound)")
        }
        try ConfigurationFile.check(proving)
    }

    /// Reads a settings file.
    ///
    /// - Throws: `configuration-missing`, `configuration-invalid`.
    public static func load(path: String) throws(EpitopeError) -> LocalCenterConfiguration {
        try ConfigurationFile.load(Self.self, path: path)
    }
}

extension LocalCenterConfiguration {
    /// The daily quotas as the store takes them.
    public var quotaLimits: QuotaLimits {
        QuotaLimits(updates: updatesADay, globalUpdates: globalUpdatesADay, forwards: forwardsADay)
    }

    /// What signatures are proven with.
    public var proving: ProvingSettings {
        ProvingSettings(
            goodware: goodware, requireGoodware: requireGoodware, captures: captures, benignCaptures: benignCaptures,
            noiseShare: noiseShare)
    }

    /// What is made of reports. Without a global center nothing waits for one.
    func policy(hasGlobalCenter: Bool) -> AnalysisPolicy {
        var targets: Set<DeliveryTarget> = []
        if updates, updatesTo != .global { targets.insert(.ids) }
        if updates, updatesTo != .ids, hasGlobalCenter { targets.insert(.global) }
        return AnalysisPolicy(
            threshold: AttackThreshold(
                points: thresholdPoints, windowMilliseconds: Int64(thresholdHours) * 60 * 60 * 1000,
                maxPointsPerReporter: maxPointsPerReporter, counter: counter),
            targets: targets,
            forwards: !forwarding || !hasGlobalCenter ? .never : forwardBelowThreshold ? .all : .reached,
            lifetimeDays: lifetimeDays)
    }
}
