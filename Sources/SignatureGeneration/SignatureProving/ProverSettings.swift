// SPDX-License-Identifier: Apache-2.0

import Signatures

/// Where a center finds the goodware and captures that it proves signatures with.
public struct ProverSettings: Hashable, Sendable {
    /// The path of the goodware index; `nil` if there is none.
    public var goodware: String?
    /// Whether signatures are delivered only if there is an index.
    public var requireGoodware: Bool
    /// Captures of the site's traffic: each a file, a folder, or a path with `*` in its last part.
    public var captures: [String]
    /// Captures of traffic that is known to be benign, in the same form.
    public var benignCaptures: [String]
    /// The largest share of a cluster's packets that its signatures may miss, 0 to ``ProverMaterial/maxNoiseShare``.
    public var noiseShare: Double

    /// Whether Suricata will run over flows that carried an attack (``ProverMaterial/isEngineAsked``).
    public var isEngineAsked = false
    /// In bytes: the length of the caller window (``ProverMaterial/callerWindow``).
    public var callerWindow = CallerWindow.length
    /// How long captures are read for one proof, and one of them. What is not read then counts against the proof.
    public var proofTime: Duration
    public var captureTime: Duration
    /// How long all else of a proof may take, such as a search of the corpus. A proof that takes longer is given up: the file system of
    /// what it reads may never answer.
    public var otherTime = Duration.seconds(600)

    /// How long a proof may take in all.
    public var maxProofTime: Duration { proofTime + otherTime }

    public init(
        goodware: String? = nil, requireGoodware: Bool = true, captures: [String] = [], benignCaptures: [String] = [],
        noiseShare: Double = ProverMaterial.defaultNoiseShare, proofTime: Duration = ProverMaterial.defaultProofTime,
        captureTime: Duration = ProverMaterial.defaultCaptureTime
    ) {
        self.goodware = goodware
        self.requireGoodware = requireGoodware
        self.captures = captures
        self.benignCaptures = benignCaptures
        self.noiseShare = noiseShare
        self.proofTime = proofTime
        self.captureTime = captureTime
    }

    /// Why no signature can be delivered with these settings, and what to do; `nil` if signatures can be delivered.
    public var warning: String? {
        guard requireGoodware, goodware == nil else { return nil }
        return "no goodware index is set: signatures are made and stored, but NONE IS DELIVERED. Build one with "
            + "`epitope goodware build` and name it in the settings as \"goodware\""
    }
}
