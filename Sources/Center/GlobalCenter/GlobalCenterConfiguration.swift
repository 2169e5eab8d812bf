// SPDX-License-Identifier: Apache-2.0

internal import CenterAnalysis
internal import CenterStore
internal import Correlation
public import EpitopeModel
internal import FoundationEssentials
internal import SettingsFiles
public import SignatureProving
internal import Signatures

/// The global center's settings, a JSON file in which every key may be left out.
public struct GlobalCenterConfiguration: Hashable, Sendable, Codable {
    /// At least 1. At 200 two sites must have seen an attack before it is published.
    public var thresholdPoints = 100
    /// How long evidence counts, in hours, at least 1.
    public var thresholdHours = 24
    /// The most points that one site (or host that reports straight) can bring.
    public var maxPointsPerReporter = 100
    /// 1 to 3650.
    public var lifetimeDays = SignatureUpdate.defaultLifetimeDays
    /// How long packets and events are kept, in days, at least 1.
    public var keepDays = 30
    /// Whether hosts may send straight to this center.
    public var acceptsHosts = true

    /// The path of the goodware index; `nil`: there is none, and unless ``requireGoodware`` is off nothing is published.
    public var goodware: String?
    public var requireGoodware = true
    /// Captures of traffic that is held benign: each a file, a folder, or a path with `*` in its last part.
    public var benignCaptures: [String] = []
    /// The largest share of a cluster's packets that its signatures may miss, 0 to 0.8.
    public var noiseShare = ProvingMaterial.defaultNoiseShare

    public init() {}

    public init(from decoder: any Decoder) throws {
        try ConfigurationFile.refuseUnknown(in: decoder, known: CodingKeys.allCases.map(\.rawValue))
        let values = try decoder.container(keyedBy: CodingKeys.self)
        thresholdPoints = try values.decodeIfPresent(Int.self, forKey: .thresholdPoints) ?? thresholdPoints
        thresholdHours = try values.decodeIfPresent(Int.self, forKey: .thresholdHours) ?? thresholdHours
        maxPointsPerReporter = try values.decodeIfPresent(Int.self, forKey: .maxPointsPerReporter) ?? maxPointsPerReporter
        lifetimeDays = try values.decodeIfPresent(Int.self, forKey: .lifetimeDays) ?? lifetimeDays
        keepDays = try values.decodeIfPresent(Int.self, forKey: .keepDays) ?? keepDays
        acceptsHosts = try values.decodeIfPresent(Bool.self, forKey: .acceptsHosts) ?? acceptsHosts
        goodware = try values.decodeIfPresent(String.self, forKey: .goodware)
        requireGoodware = try values.decodeIfPresent(Bool.self, forKey: .requireGoodware) ?? requireGoodware
        benignCaptures = try values.decodeIfPresent([String].self, forKey: .benignCaptures) ?? benignCaptures
        noiseShare = try values.decodeIfPresent(Double.self, forKey: .noiseShare) ?? noiseShare
        try ConfigurationFile.check(proving)
        guard thresholdPoints >= 1, (1...8760).contains(thresholdHours), maxPointsPerReporter >= 1,
            (1...SignatureUpdate.maxLifetimeDays).contains(lifetimeDays), (1...36500).contains(keepDays)
        else {
            throw EpitopeError(
                .configurationInvalid, "a setting is out of its bounds",
                remedy: "thresholdPoints, maxPointsPerReporter: from 1; thresholdHours: 1 to 8760; "
                    + "lifetimeDays: 1 to 3650; keepDays: 1 to 36500")
        }
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case thresholdPoints, thresholdHours, maxPointsPerReporter, lifetimeDays, keepDays, acceptsHosts
        case goodware, requireGoodware, benignCaptures, noiseShare
    }

    /// Reads a settings file.
    ///
    /// - Throws: `configuration-missing`, `configuration-invalid`.
    public static func load(path: String) throws(EpitopeError) -> GlobalCenterConfiguration {
        try ConfigurationFile.load(Self.self, path: path)
    }

    /// What signatures are proven with. A global center sees no traffic of the sites, so it has no captures of it.
    public var proving: ProvingSettings {
        ProvingSettings(
            goodware: goodware, requireGoodware: requireGoodware, benignCaptures: benignCaptures, noiseShare: noiseShare)
    }

    var policy: AnalysisPolicy {
        AnalysisPolicy(
            threshold: AttackThreshold(
                points: thresholdPoints, windowMilliseconds: Int64(thresholdHours) * 60 * 60 * 1000,
                maxPointsPerReporter: maxPointsPerReporter),
            targets: [.feed], forwards: .never, lifetimeDays: lifetimeDays)
    }
}
