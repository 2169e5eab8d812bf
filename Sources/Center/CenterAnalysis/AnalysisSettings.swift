// SPDX-License-Identifier: Apache-2.0

public import Correlation
public import EpitopeModel
public import SettingsFiles
public import SignatureProving
import Signatures

/// The settings that local and global center share: when evidence is an attack, what signatures are proven with, and
/// how long updates and packets are kept.
public struct AnalysisSettings: Hashable, Sendable {
    /// The points at which evidence is an attack, from 1. A global center publishes nothing on one site's word, whatever this is: see
    /// `epitope global-center trust`.
    public var thresholdPoints = 100
    /// How long evidence counts, in hours, 1 to 8760 (a year).
    public var thresholdHours = 24
    /// The most points that one reporter can contribute, from 1.
    public var maxPointsPerReporter = 100
    /// The lifetime of updates in days, 1 to 3650.
    public var lifetimeDays = SignatureUpdate.defaultLifetimeDays
    /// How long packets and events are kept, in days, 1 to 36500.
    public var keepDays = 30
    /// How many megabytes of packets one reporter may have stored in a day, 1 to 1,000,000.
    public var megabytesPerReporter = AnalysisSettings.defaultMegabytesPerReporter
    /// The path of the goodware index; `nil`: there is none.
    public var goodware: String?
    /// Whether nothing is delivered without a goodware index.
    public var requireGoodware = true
    /// Captures of traffic that is known to be benign: each a file, a folder, or a path with `*` in its last part.
    public var benignCaptures: [String] = []
    /// For how many seconds captures are read for one proof, 1 to 86400. What is not read by then counts against the proof.
    public var proofSeconds = 300
    /// For how many seconds one capture is read, 1 to 86400.
    public var captureSeconds = 60
    /// The maximum share of a cluster's packets that its signatures may miss, 0 to 0.8.
    public var noiseShare = ProverMaterial.defaultNoiseShare

    /// Some 1,500 packets of the largest size: a host reports a handful.
    public static let defaultMegabytesPerReporter = 16

    public init() {}

    /// Visits every setting, as part of a center's own.
    public mutating func visit(_ visitor: inout some SettingsVisitor) throws {
        try visitor.setting("thresholdPoints", &thresholdPoints, in: 1...1_000_000)
        try visitor.setting("thresholdHours", &thresholdHours, in: 1...8760)
        try visitor.setting("maxPointsPerReporter", &maxPointsPerReporter, in: 1...1_000_000)
        try visitor.setting("lifetimeDays", &lifetimeDays, in: 1...SignatureUpdate.maxLifetimeDays)
        try visitor.setting("keepDays", &keepDays, in: 1...36500)
        try visitor.setting("megabytesPerReporter", &megabytesPerReporter, in: 1...1_000_000)
        try visitor.setting("goodware", &goodware)
        try visitor.setting("requireGoodware", &requireGoodware)
        try visitor.setting("benignCaptures", &benignCaptures)
        try visitor.setting("proofSeconds", &proofSeconds, in: 1...86400)
        try visitor.setting("captureSeconds", &captureSeconds, in: 1...86400)
        try visitor.setting("noiseShare", &noiseShare)
    }

    /// When evidence is an attack.
    public func threshold(counter: AttackThreshold.Counter = .cluster) -> AttackThreshold {
        AttackThreshold(
            points: thresholdPoints, windowMilliseconds: Duration.hours(thresholdHours).inMilliseconds,
            maxPointsPerReporter: maxPointsPerReporter, counter: counter)
    }

    /// What signatures are proven with.
    ///
    /// - Parameter captures: the site's traffic; a global center has none.
    public func proving(captures: [String] = []) -> ProverSettings {
        ProverSettings(
            goodware: goodware, requireGoodware: requireGoodware, captures: captures, benignCaptures: benignCaptures,
            noiseShare: noiseShare, proofTime: .seconds(proofSeconds), captureTime: .seconds(captureSeconds))
    }
}

extension ProverSettings {
    /// - Throws: `configuration-invalid` when a setting is out of its bounds.
    public func validate() throws(EpitopeError) {
        guard !isSound else { return }
        throw EpitopeError(
            .configurationInvalid,
            "a setting that signatures are proven with is out of its bounds: noiseShare is \(noiseShare), or a path is empty",
            remedy: "set noiseShare to 0 to \(ProverMaterial.maxNoiseShare), and leave out keys for which you have no path")
    }
}
