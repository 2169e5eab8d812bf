// SPDX-License-Identifier: Apache-2.0

/// The checks of a proof that allow a rule to drop traffic.
extension Proof.Check.Name {
    /// Its bytes end at the call or go on behind it, in a row: the caller window or a masked window. Never fails: what lies
    /// elsewhere in the code is `not-checked`.
    public static let atTheCall = Proof.Check.Name(rawValue: "at-the-call")
    /// Suricata itself fires on a captured flow that carried the attack. Part of a proof where such a flow is at hand, and
    /// `not-checked` until Suricata has run over it.
    public static let engineFires = Proof.Check.Name(rawValue: "engine-fires")
    /// No captured flow of benign traffic contains it.
    public static let noBenignFlow = Proof.Check.Name(rawValue: "no-benign-flow")
}

extension Proof {
    /// Whether a rule of the signature may drop what it matches: it was made of the bytes at the call, which nothing but the
    /// attack brings, or it was compared with benign traffic; and where a flow is at hand that carried the attack, Suricata
    /// fires on it. All others may only alert.
    public var allowsDropping: Bool {
        let isFiring = check(.engineFires).map { $0.outcome == .passed } ?? true
        return isFiring && [Check.Name.atTheCall, .noBenignFlow].contains { check($0)?.outcome == .passed }
    }
}

extension SignatureUpdate {
    /// Whether a rule of it may drop what it matches: its proof allows that (``Proof/allowsDropping``), and it rests on enough.
    public var mayDrop: Bool { proof.allowsDropping && support?.isEnoughToDrop != false }
}
