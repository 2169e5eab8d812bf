// SPDX-License-Identifier: Apache-2.0

public import Signatures

/// What "proven" means: the checks of a signature in the order of the report.
///
/// A signature is proven when none of them failed. Those before ``absentFromGoodware`` need only the signature and the
/// packets of its cluster. The others are more expensive, and are made only of signatures that passed these. Three more names
/// are defined where rules get their action: `Proof.Check.Name.atTheCall`, `noBenignFlow` and `engineFires`.
extension Proof.Check.Name {
    /// The evidence of some packet says that its code is malicious, and not an image's or a program's own. Made only where it
    /// fails: then nothing else is checked.
    public static let ofMaliciousCode = Proof.Check.Name(rawValue: "of-malicious-code")
    /// Tokens, gaps and context keep their bounds (`Signature.isWellFormed`). If not, no other check is made.
    public static let wellFormed = Proof.Check.Name(rawValue: "well-formed")
    /// The signatures of the cluster match its packets, all but the noise share of the settings. Not part of the proof of
    /// a signature that came without packets.
    public static let matchesSamples = Proof.Check.Name(rawValue: "matches-samples")
    /// The tokens have at least as many fixed bytes as `Signature.Substance` says.
    public static let longEnough = Proof.Check.Name(rawValue: "long-enough")
    /// The tokens have at least `Signature.minDistinctBytes` distinct byte values.
    public static let notFill = Proof.Check.Name(rawValue: "not-fill")
    /// No token's longest run of fixed bytes is text (`TextBytes`).
    public static let notText = Proof.Check.Name(rawValue: "not-text")
    /// Its bytes are the attack's code (`CodeExtent`), and not what lies beside it in the packets. Only where there are packets.
    public static let ofTheCode = Proof.Check.Name(rawValue: "of-the-code")
    /// No goodware contains it. If it does, the report ends here.
    public static let absentFromGoodware = Proof.Check.Name(rawValue: "absent-from-goodware")
    /// A captured flow that carried the code contains it where an engine sees it: in the stream, or in a buffer of HTTP or DNS.
    public static let onTheWire = Proof.Check.Name(rawValue: "on-the-wire")
    /// It can be written as a Suricata rule. Suricata itself reads the rule when it is delivered.
    public static let engineSuricata = Proof.Check.Name(rawValue: "engine-suricata")
    /// Searching for it costs an engine little enough (`SignatureCost`).
    public static let cost = Proof.Check.Name(rawValue: "cost")
    /// The global center proved it, too. Only of updates that came from there.
    public static let provenByGlobalCenter = Proof.Check.Name(rawValue: "proven-by-global-center")

    /// All of the above, in the same order.
    public static let inOrder: [Self] = [
        .ofMaliciousCode, .wellFormed, .matchesSamples, .longEnough, .notFill, .notText, .ofTheCode, .atTheCall, .absentFromGoodware,
        .onTheWire,
        .noBenignFlow, .engineSuricata, .engineFires, .cost, .provenByGlobalCenter,
    ]
}
