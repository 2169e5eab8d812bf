// SPDX-License-Identifier: Apache-2.0

import GoodwareFiles
public import GoodwareReading
public import GoodwareIndex
import Signatures
import TokenSequences

/// The data that signatures are checked against: goodware and captures.
public struct ProverMaterial: Sendable {
    /// The default of ``noiseShare``: half of a cluster's packets.
    public static let defaultNoiseShare = 0.5
    /// The default of ``proofTime``.
    public static let defaultProofTime = Duration.seconds(300)
    /// The default of ``captureTime``.
    public static let defaultCaptureTime = Duration.seconds(60)
    /// The largest noise share that can be set.
    public static let maxNoiseShare = TokenSequences.maxNoiseShare

    /// The index of goodware; `nil` if there is none.
    public var index: GoodwareIndex?
    /// The file that the index is mapped from; `nil` if the index is in memory only.
    public var goodware: GoodwareFile?
    /// Why the index that there is can't be asked now: until it can, nothing is proven. `nil`: it can, or there is none.
    public var goodwareOutage: String?
    /// Whether a signature fails if there is no index.
    public var isGoodwareRequired: Bool
    /// Captures of the site's traffic: each a file, a folder, or a path with `*` in its last part.
    public var captures: [String]
    /// Captures of traffic that is known to be benign, in the same form.
    public var benignCaptures: [String]
    /// The largest share of a cluster's packets that its signatures may miss, 0 to ``maxNoiseShare``.
    public var noiseShare: Double
    /// The streams of the captures, cached.
    public var streams: CaptureStreams
    /// How long captures are read for one proof, and one of them. What is not read then counts against the proof.
    public var proofTime = Self.defaultProofTime
    public var captureTime = Self.defaultCaptureTime

    /// In bytes: the length of the caller window, one of ``Signatures/CallerWindow/lengths``.
    public var callerWindow = CallerWindow.length
    /// What a signature must hold.
    var enough: Signature.Substance { Signature.Substance(callerWindow: callerWindow) }

    /// Whether Suricata will run over flows that carried an attack, so that its answer is a part of proofs.
    public var isEngineAsked = false

    public init(
        goodware: GoodwareFile?, isGoodwareRequired: Bool = true, captures: [String] = [], benignCaptures: [String] = [],
        noiseShare: Double = Self.defaultNoiseShare, streams: CaptureStreams = CaptureStreams()
    ) {
        self.goodware = goodware
        index = goodware?.index
        self.isGoodwareRequired = isGoodwareRequired
        self.captures = captures
        self.benignCaptures = benignCaptures
        self.noiseShare = noiseShare
        self.streams = streams
    }

    /// Material with an index that is in memory only.
    public init(index: GoodwareIndex, captures: [String] = [], benignCaptures: [String] = []) {
        self.init(goodware: nil, captures: captures, benignCaptures: benignCaptures)
        self.index = index
    }
}
