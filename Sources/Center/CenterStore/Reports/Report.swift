// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import PacketCoding
public import Signatures

/// A message that a center received: a packet from its host, a packet that a site forwards, or a site's update.
public struct Report: Hashable, Sendable {
    /// The content of the message.
    public enum Body: Hashable, Sendable {
        case packet(ReceivedPacket)
        case forward(ForwardedPacket)
        case update(SignatureUpdate)
    }

    /// Who sent it, as in the certificate. Evidence counts for the sender: a host, or a site whichever of its hosts
    /// reported.
    public var sender: Identity
    public var body: Body

    public init(sender: Identity, body: Body) {
        self.sender = sender
        self.body = body
    }

    /// Identity of the report: the packet's own id, else the update's signature and revision within its site.
    public var id: String {
        switch body {
        case .packet(let packet): packet.value.id
        case .forward(let forward): forward.id
        case .update(let update): "\(sender.name)/\(update.signature.id)/\(update.revision)"
        }
    }
}

extension Identity {
    /// The sender as evidence knows it: hosts and sites may share a name.
    var reporter: String { "\(role.rawValue):\(name)" }
}
