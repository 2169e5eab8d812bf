// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// A packet that a local center forwards to the global center, with the signature that the site made of it.
public struct ForwardedPacket: Hashable, Sendable {
    /// Identifies the message: the packet's own id.
    public var id: String { packet.id }
    public var packet: ExtractedPacket
    /// The host's name within its site, from the certificate that it sent the packet with.
    public var reporter: String
    public var signature: Signature
    /// What the site concluded; `nil`: its evidence had not reached its threshold, or its version does not say.
    public var conclusion: SiteConclusion?

    public init(packet: ExtractedPacket, reporter: String, signature: Signature, conclusion: SiteConclusion? = nil) {
        self.packet = packet
        self.reporter = reporter
        self.signature = signature
        self.conclusion = conclusion
    }
}
