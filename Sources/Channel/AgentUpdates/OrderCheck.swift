// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import SecureChannel

/// Which orders a host follows. Nothing that is fetched is looked at before an order passed this.
public enum OrderCheck {
    /// - Parameters:
    ///   - trusted: the authorities whose word counts here.
    ///   - running: the version that runs; `nil`: none does.
    ///   - highest: the number of the latest order that this host has heard of.
    /// - Throws: `agent-unsigned`, `agent-foreign`, `agent-signature-wrong`, `agent-of-another-architecture`, `agent-replayed`,
    ///   `agent-downgrade`.
    public static func require(
        _ signed: SignedManifest, trusted: [AuthorityCertificate], running: AgentVersion?, highest: Int64,
        architecture: AgentArchitecture = .current
    ) throws(EpitopeError) {
        try signed.verify(by: trusted)
        let manifest = signed.manifest
        guard manifest.architecture == architecture else { throw HandoutErrors.architecture(manifest) }
        guard manifest.number > highest else { throw HandoutErrors.replayed(manifest, highest: highest) }
        if let running, manifest.version < running, manifest.kind != .back { throw HandoutErrors.downgrade(manifest, from: running) }
    }
}
