// SPDX-License-Identifier: Apache-2.0

/// Where a center finds what it proves signatures with.
public struct ProvingSettings: Hashable, Sendable {
    /// The path of the goodware index; `nil`: there is none.
    public var goodware: String?
    /// Whether nothing is delivered without an index.
    public var requireGoodware: Bool
    /// Captures of the site's traffic: each a file, a folder, or a path with `*` in its last part.
    public var captures: [String]
    /// Captures of traffic that is held benign, in the same form.
    public var benignCaptures: [String]
    /// The largest share of a cluster's packets that its signatures may miss.
    public var noiseShare: Double

    public init(
        goodware: String? = nil, requireGoodware: Bool = true, captures: [String] = [], benignCaptures: [String] = [],
        noiseShare: Double = ProvingMaterial.defaultNoiseShare
    ) {
        self.goodware = goodware
        self.requireGoodware = requireGoodware
        self.captures = captures
        self.benignCaptures = benignCaptures
        self.noiseShare = noiseShare
    }

    /// Whether every value is within its bounds.
    public var isSound: Bool {
        (0...ProvingMaterial.largestNoiseShare).contains(noiseShare) && goodware != ""
            && !(captures + benignCaptures).contains("")
    }

    /// Why no signature can be delivered with these settings, and what to do; `nil`: they can be.
    public var warning: String? {
        guard requireGoodware, goodware == nil else { return nil }
        return "no goodware index is set: signatures are made and kept, and NONE IS DELIVERED. Build one with "
            + "`epitope goodware build` and name it in the settings as \"goodware\""
    }
}
