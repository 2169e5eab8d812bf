// SPDX-License-Identifier: Apache-2.0

public import GoodwareFiles
public import GoodwareIndex

/// What signatures are proven with.
public struct ProvingMaterial: Sendable {
    /// The largest share of a cluster's packets, 0.5, that a signature may miss unless it is set otherwise.
    public static let defaultNoiseShare = 0.5
    /// The largest share that can be set: beyond it the pool holds too little of the attack (the experiments of
    /// Newsome, Karp and Song, "Polygraph", 2005, end there).
    public static let largestNoiseShare = 0.8

    /// The index of goodware; `nil`: none is at hand.
    public var index: GoodwareIndex?
    /// The file that the index is mapped from; `nil`: it is in memory only.
    public var goodware: GoodwareFile?
    /// Whether a signature fails when nothing can show that goodware doesn't hold it.
    public var isGoodwareRequired: Bool
    /// Captures of the site's traffic: each a file, a folder, or a path with `*` in its last part.
    public var captures: [String]
    /// Captures of traffic that is held benign, in the same form.
    public var benignCaptures: [String]
    /// The largest share of a cluster's packets that its signatures may miss, 0 to ``largestNoiseShare``.
    public var noiseShare: Double
    /// The captures' streams.
    public var streams: CaptureStreams

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
