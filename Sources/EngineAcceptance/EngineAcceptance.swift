public import EpitopeModel
public import Signatures

/// Whether the engines that this machine has take a signature's renderings.
public enum EngineAcceptance {
    /// One check an engine; not checked where the engine is not installed.
    public static func checks(of signatures: [Signature]) async -> [Proof.Check] { fatalError("contract") }
}
