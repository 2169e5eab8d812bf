// SPDX-License-Identifier: Apache-2.0

public import CenterStore
public import Correlation
import EpitopeModel
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
    /// What counts of a reporter's reports of an attack: `each-kind` of evidence once, or `each-packet` that comes in, with the weights of its
    /// kinds; at most `maxPointsPerReporter` either way.
    public var counting = AttackThreshold.Counting.kinds
    /// How many points each kind of evidence counts.
    public var weights: EvidenceWeightSettings = EvidenceWeightSettings()
    /// The lifetime of updates in days, 1 to 3650.
    public var lifetimeDays = SignatureUpdate.defaultLifetimeDays
    /// How long packets and events are kept, in days, 1 to 36500.
    public var keepDays = 30
    /// How long entries of the audit log are kept, in days, 30 to 36500. What is removed then leaves an entry that says how much it was.
    public var auditKeepDays = 730
    /// How many megabytes of packets one reporter may have stored in a day, 1 to 1,000,000; all hosts of one address four times as many.
    public var megabytesPerReporter = AnalysisSettings.defaultMegabytesPerReporter
    /// How many megabytes of the store's file may be in use for another packet to be stored, 16 to 100,000,000. What people decide, and
    /// what becomes of the packets, is stored beyond it.
    public var storeMegabytes = 65_536
    /// How many megabytes the store's disk must have free for another packet to be stored, 0 to 1,000,000; of a small disk a twentieth of
    /// it. So there is room left for what people decide, such as who is revoked.
    public var diskReserveMegabytes = 256
    /// Where the store lies; `nil`: in a file in the state folder.
    public var store: StoreSettings?
    /// The length of the caller window in bytes, 8 to 256: the bytes that end at the caller's address, which signatures begin with. Of fewer than
    /// 32 the goodware index can't say that they are absent: the corpus itself is read for each, which takes seconds. Signatures of fewer
    /// than 16 bytes, hosts' too, are proven only with a length as small.
    public var callerWindow = CallerWindow.length
    /// Of hosts that leave it to the center to extract (`--extract-at`): the largest region that is stored whole, in bytes, 256 to 8192.
    public var maxCode = ExtractedPacket.maxCodeBytes
    /// Of a larger region of such a host: how many bytes on each side of the caller's address are stored, 256 to 4096.
    public var snippetSide = 4096
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
        try visitor.setting("counting", &counting)
        try visitor.setting("weights", &weights)
        try visitor.setting("lifetimeDays", &lifetimeDays, in: 1...SignatureUpdate.maxLifetimeDays)
        try visitor.setting("keepDays", &keepDays, in: 1...36500)
        try visitor.setting("auditKeepDays", &auditKeepDays, in: 30...36500)
        try visitor.setting("megabytesPerReporter", &megabytesPerReporter, in: 1...1_000_000)
        try visitor.setting("storeMegabytes", &storeMegabytes, in: 16...100_000_000)
        try visitor.setting("diskReserveMegabytes", &diskReserveMegabytes, in: 0...1_000_000)
        try visitor.setting("store", &store)
        try visitor.setting("callerWindow", &callerWindow, in: 8...256)
        try visitor.setting("maxCode", &maxCode, in: 256...8192)
        try visitor.setting("snippetSide", &snippetSide, in: 256...4096)
        try visitor.setting("goodware", &goodware)
        try visitor.setting("requireGoodware", &requireGoodware)
        try visitor.setting("benignCaptures", &benignCaptures)
        try visitor.setting("proofSeconds", &proofSeconds, in: 1...86400)
        try visitor.setting("captureSeconds", &captureSeconds, in: 1...86400)
        try visitor.setting("noiseShare", &noiseShare, in: 0...ProverMaterial.maxNoiseShare)
    }

    /// The settings that a center takes over while it runs.
    public static let liveKeys: Set<String> = [
        "thresholdPoints", "thresholdHours", "maxPointsPerReporter", "counting", "weights", "lifetimeDays", "keepDays",
        "auditKeepDays", "megabytesPerReporter",
    ]

    /// What is wrong with settings that were read.
    public var faults: [SettingFault] {
        (goodware == "" ? [Self.emptyPath("goodware")] : []) + Self.faults("benignCaptures", benignCaptures)
    }

    /// What is wrong with a list of paths.
    public static func faults(_ name: String, _ paths: [String]) -> [SettingFault] {
        paths.enumerated().compactMap { index, path in
            path.isEmpty ? emptyPath("\(name)[\(index)]", at: "\(name).[\(index)]") : nil
        }
    }

    /// The fault of a path that is an empty text.
    public static func emptyPath(_ name: String, at place: String? = nil) -> SettingFault {
        SettingFault(
            place ?? name,
            EpitopeError(.configurationInvalid, "the setting '\(name)' is empty", remedy: "give a path, or leave the key out"))
    }

    /// How long what the center has is kept.
    public var retention: KeepDays { KeepDays(packets: keepDays, audit: auditKeepDays) }

    /// What is taken out of the regions that hosts leave to the center.
    public var extraction: RegionExtraction { RegionExtraction(maxCode: maxCode, snippetSide: snippetSide) }

    /// How far packets may fill the store and its disk.
    public var reportRoom: ReportRoom {
        ReportRoom(maxBytes: Int64(storeMegabytes) << 20, keptFreeBytes: Int64(diskReserveMegabytes) << 20)
    }

    /// When evidence is an attack.
    public func threshold(counter: AttackThreshold.Counter = .cluster) -> AttackThreshold {
        AttackThreshold(
            points: thresholdPoints, windowMilliseconds: Duration.hours(thresholdHours).inMilliseconds,
            maxPointsPerReporter: maxPointsPerReporter, counter: counter, counting: counting)
    }

    /// What signatures are proven with.
    ///
    /// - Parameter captures: the site's traffic; a global center has none.
    public func proving(captures: [String] = []) -> ProverSettings {
        var settings = ProverSettings(
            goodware: goodware, requireGoodware: requireGoodware, captures: captures, benignCaptures: benignCaptures,
            noiseShare: noiseShare, proofTime: .seconds(proofSeconds), captureTime: .seconds(captureSeconds))
        settings.callerWindow = callerWindow
        return settings
    }
}
