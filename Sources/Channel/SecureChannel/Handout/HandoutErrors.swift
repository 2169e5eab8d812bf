// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension EpitopeError.Code {
    /// The text of an order of a version can't be read.
    public static let agentManifestMalformed = EpitopeError.Code("agent-manifest-malformed")
    /// An order of a version has no signature.
    public static let agentUnsigned = EpitopeError.Code("agent-unsigned")
    /// An order of a version has signatures of other authorities alone.
    public static let agentForeign = EpitopeError.Code("agent-foreign")
    /// An order of a version was changed since it was signed.
    public static let agentSignatureWrong = EpitopeError.Code("agent-signature-wrong")
    /// An order of a version is one that this host has seen, or an earlier one.
    public static let agentReplayed = EpitopeError.Code("agent-replayed")
    /// An order of an earlier version that is not signed as a way back.
    public static let agentDowngrade = EpitopeError.Code("agent-downgrade")
    /// An order is for another architecture.
    public static let agentOfAnotherArchitecture = EpitopeError.Code("agent-of-another-architecture")
    /// A program is not the one that was signed.
    public static let agentTampered = EpitopeError.Code("agent-tampered")
    /// A version did not protect within its time.
    public static let agentNotWell = EpitopeError.Code("agent-not-well")
    /// A host has no room for another version.
    public static let agentNoRoom = EpitopeError.Code("agent-no-room")
    /// The center has no such version, or no such part of a file.
    public static let agentUnknown = EpitopeError.Code("agent-unknown")
}

/// What is wrong with what a center hands out.
public enum HandoutErrors {
    static func malformed(_ why: String) -> EpitopeError {
        EpitopeError(
            .agentManifestMalformed, "an order of a version of Epitope can't be read: \(why)",
            remedy: "have the center's operator order the version again (`epitope local-center agents order`)")
    }

    private static let again = "have the center's operator order it again (`epitope local-center agents order`); nothing of it was run"

    /// Programs of a version are not whole in the store.
    public static func incomplete(_ version: AgentVersion) -> EpitopeError {
        EpitopeError(
            .agentUnknown,
            "the programs of version \(version) are not whole in the store: another command removed some while they were added",
            remedy: "add them again (`epitope local-center agents add FILE`)")
    }

    static func unsigned(_ manifest: AgentManifest) -> EpitopeError {
        EpitopeError(.agentUnsigned, "the order of version \(manifest.version) has no signature", remedy: again)
    }

    static func foreign(_ manifest: AgentManifest) -> EpitopeError {
        EpitopeError(
            .agentForeign, "the order of version \(manifest.version) is signed by another authority than this host's", remedy: again)
    }

    static func signatureWrong(_ manifest: AgentManifest) -> EpitopeError {
        EpitopeError(
            .agentSignatureWrong, "the order of version \(manifest.version) was changed since it was signed", remedy: again)
    }

    /// `agent-replayed`.
    public static func replayed(_ manifest: AgentManifest, highest: Int64) -> EpitopeError {
        EpitopeError(
            .agentReplayed,
            "the order of version \(manifest.version) has the number \(manifest.number), and this host has had \(highest): it is an earlier one",
            remedy: "an operator who wants that version orders it anew (`epitope local-center agents order VERSION`)")
    }

    /// `agent-downgrade`.
    public static func downgrade(_ manifest: AgentManifest, from version: AgentVersion) -> EpitopeError {
        EpitopeError(
            .agentDowngrade, "version \(manifest.version) is earlier than \(version), which runs, and is not signed as a way back",
            remedy: "an operator who wants it orders it with `epitope local-center agents order VERSION --back`")
    }

    /// `agent-of-another-architecture`.
    public static func architecture(_ manifest: AgentManifest) -> EpitopeError {
        EpitopeError(
            .agentOfAnotherArchitecture,
            "the order is for \(manifest.architecture.rawValue), and this host is \(AgentArchitecture.current.rawValue)", remedy: again)
    }

    /// `agent-tampered`.
    public static func tampered(_ name: String, _ manifest: AgentManifest) -> EpitopeError {
        EpitopeError(
            .agentTampered, "the program \(name) is not that of version \(manifest.version) that the center's authority has signed",
            remedy: "look at who could write to it; it is fetched again with the next order, and was not run")
    }

    /// `agent-unknown`.
    public static func unknown(_ what: String) -> EpitopeError {
        EpitopeError(
            .agentUnknown, "the center hands out no \(what)", remedy: "add it at the center: `epitope local-center agents add FILE`")
    }
}
