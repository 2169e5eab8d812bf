internal import CenterStore
internal import Correlation
public import EpitopeModel
internal import FoundationEssentials
internal import Signatures

/// The global center's settings, a JSON file in which every key may be left out.
public struct GlobalCenterConfiguration: Hashable, Sendable, Codable {
    /// At least 1. At 200 two sites must have seen an attack before it is published.
    public var thresholdPoints = 100
    /// How long evidence counts, in hours, at least 1.
    public var thresholdHours = 24
    /// The most points that one site (or host that reports straight) can bring.
    public var mostPointsOfReporter = 100
    /// 1 to 3650.
    public var lifetimeDays = SignatureUpdate.defaultLifetimeDays
    /// How long packets and events are kept, in days, at least 1.
    public var keepDays = 30
    /// Whether hosts may send straight to this center.
    public var acceptsHosts = true

    public init() {}

    public init(from decoder: any Decoder) throws {
        try ConfigurationFile.refuseUnknown(in: decoder, known: CodingKeys.allCases.map(\.rawValue))
        let values = try decoder.container(keyedBy: CodingKeys.self)
        thresholdPoints = try values.decodeIfPresent(Int.self, forKey: .thresholdPoints) ?? thresholdPoints
        thresholdHours = try values.decodeIfPresent(Int.self, forKey: .thresholdHours) ?? thresholdHours
        mostPointsOfReporter = try values.decodeIfPresent(Int.self, forKey: .mostPointsOfReporter) ?? mostPointsOfReporter
        lifetimeDays = try values.decodeIfPresent(Int.self, forKey: .lifetimeDays) ?? lifetimeDays
        keepDays = try values.decodeIfPresent(Int.self, forKey: .keepDays) ?? keepDays
        acceptsHosts = try values.decodeIfPresent(Bool.self, forKey: .acceptsHosts) ?? acceptsHosts
        guard thresholdPoints >= 1, (1...8760).contains(thresholdHours), mostPointsOfReporter >= 1,
            (1...SignatureUpdate.longestLifetimeDays).contains(lifetimeDays), (1...36500).contains(keepDays)
        else {
            throw EpitopeError(
                .configurationInvalid, "a setting is out of its bounds",
                remedy: "thresholdPoints, mostPointsOfReporter: from 1; thresholdHours: 1 to 8760; "
                    + "lifetimeDays: 1 to 3650; keepDays: 1 to 36500")
        }
    }

    enum CodingKeys: String, CodingKey, CaseIterable {
        case thresholdPoints, thresholdHours, mostPointsOfReporter, lifetimeDays, keepDays, acceptsHosts
    }

    /// Reads a settings file.
    ///
    /// - Throws: `configuration-missing`, `configuration-invalid`.
    public static func load(path: String) throws(EpitopeError) -> GlobalCenterConfiguration {
        try ConfigurationFile.load(Self.self, path: path)
    }

    var policy: AnalysisPolicy {
        AnalysisPolicy(
            threshold: AttackThreshold(
                points: thresholdPoints, windowMilliseconds: Int64(thresholdHours) * 60 * 60 * 1000,
                mostPointsOfReporter: mostPointsOfReporter),
            targets: [.feed], forwards: .never, lifetimeDays: lifetimeDays)
    }
}
