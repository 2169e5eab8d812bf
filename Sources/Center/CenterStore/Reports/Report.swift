// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import PacketCoding
public import SecureChannel
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
    /// When the certificate was issued that it was sent with, in milliseconds since 1970: if it was revoked since, the report is not
    /// stored. `nil`: nobody sent it.
    public var issuedMilliseconds: Int64?
    public var body: Body

    public init(sender: Identity, issuedMilliseconds: Int64? = nil, body: Body) {
        self.sender = sender
        self.issuedMilliseconds = issuedMilliseconds
        self.body = body
    }

    public init(sender: PeerCertificate, body: Body) {
        self.init(sender: sender.identity, issuedMilliseconds: sender.issuedMilliseconds, body: body)
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

extension Report {
    /// Where a host's connection came from; `nil`: that isn't known, or a site sent it.
    public var address: IPAddress? { if case .packet(let packet) = body { packet.source } else { nil } }

    /// About what it takes of the disk: its rows and what is written of it in the steps that follow.
    public var bytes: Int {
        switch body {
        case .packet(let packet): Self.rowBytes + packet.bytes.count
        case .forward(let forward): Self.rowBytes + forward.packet.codeBytes + forward.signature.byteCount
        case .update(let update): Self.rowBytes + update.signature.byteCount
        }
    }

    private static let rowBytes = 2048
}

extension ExtractedPacket {
    fileprivate var codeBytes: Int {
        switch content {
        case .code(let code): code.bytes.count
        case .signature(let window): window.count
        }
    }
}

extension Signature {
    fileprivate var byteCount: Int { tokens.reduce(0) { $0 + $1.bytes.count } }
}

extension Identity {
    /// The sender as evidence knows it: hosts and sites may share a name.
    public var reporter: String { "\(role.rawValue):\(name)" }
}
