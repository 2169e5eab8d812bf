// SPDX-License-Identifier: Apache-2.0

public import CenterMetrics
public import EpitopeModel
public import PacketCoding
public import SecureChannel
public import Signatures

/// A center's service behind its HTTPS endpoint. The endpoint has checked the sender's certificate and role, that a packet
/// names no other host than its sender, and every bound of the message.
///
/// A method returns when the message is committed to the center's store; only then does the sender get its receipt. The sender's
/// certificate was in force when its message had come in: what takes longer asks again.
/// An ``EpitopeError`` that a method throws is sent to the sender as it is. Of any other error the sender gets only an id,
/// under which the center's log has the details.
public protocol CenterRequestHandling: Sendable {
    /// The kind of center that this is.
    var scope: CenterScope { get }

    /// The endpoints that this center serves; requests to others are answered with `not-served-here`.
    var accepts: Set<CenterEndpoint> { get }

    /// The addresses of all centers over its store, told to who may send to it; empty: it tells none.
    var centers: [String] { get }

    /// Which parts of its work fail now; `nil`: it doesn't say.
    var health: ServiceHealth? { get }

    /// What the center counts; `nil`: nobody asks.
    var counters: CenterCounters? { get }

    /// Notes the IP address that a sender's message comes from, before the message is received.
    func noteSource(of sender: Identity, address: String) async throws

    /// Stores who was seen lately.
    func note(_ sightings: [PeerSighting]) async throws

    /// Stores a packet of a host.
    func receive(_ packet: ReceivedPacket, from sender: PeerCertificate) async throws -> Receipt

    /// Code that the center has, by its SHA-256; `nil`: it has no such. The endpoint puts a packet together with it that its host
    /// sent without: nobody is sent code.
    func code(digest: [UInt8]) async throws -> [UInt8]?

    /// Notes how much a host withheld. The counts are within bounds.
    func receive(_ counts: WithheldCounts, from sender: PeerCertificate) async throws

    /// Stores a packet and signature that a local center forwards.
    func receive(_ forward: ForwardedPacket, from sender: PeerCertificate) async throws -> Receipt

    /// Stores an update that a local center made. The receipt is for the signature's id.
    func receive(_ update: SignatureUpdate, from sender: PeerCertificate) async throws -> Receipt

    /// What was published after a position in the feed, oldest first. When there is nothing, the method waits up to `waitSeconds`
    /// (0 to 60) for something, then returns an empty page. It returns early when its task is cancelled. A position that is not one
    /// of this feed is answered at once with the feed's beginning.
    func updates(after position: FeedPosition, waitSeconds: Int, for subscriber: Identity) async throws -> FeedPage

    /// Notes what a host says of the version of Epitope that it runs, and says which one it is to run. What it says is within bounds.
    func agentOrder(for host: PeerCertificate, after report: AgentReport) async throws -> AgentAnswer

    /// What a machine gets that is new here.
    func installableAgent(for architecture: AgentArchitecture) async throws -> SignedManifest

    /// A part of a program that is handed out; `nil`: there is none such.
    func agentPart(_ number: Int, of sha256: String) async throws -> [UInt8]?
}

/// A center whose work can be changed by another process: a person's commands.
public protocol WakefulService: Sendable {
    /// Looks at once for changes that did not come through this service.
    func wake() async
}

/// The endpoints of a center, each with the roles that may use it.
public enum CenterEndpoint: String, Hashable, Sendable, Codable, CaseIterable {
    /// Hosts send packets.
    case packets
    /// Local centers forward packets and signatures.
    case forwards
    /// Local centers publish updates.
    case publishing
    /// Local centers subscribe to updates.
    case subscriptions
    /// Hosts are told which version of Epitope they are to run, and get it.
    case agents

    /// The roles that may use the endpoint.
    public var roles: Set<Identity.Role> {
        self == .packets || self == .agents ? [.host] : [.localCenter]
    }
}

/// Default implementations for centers that serve hosts only.
extension CenterRequestHandling {
    public var centers: [String] { [] }

    public var health: ServiceHealth? { nil }

    public var counters: CenterCounters? { nil }

    public func noteSource(of sender: Identity, address: String) async throws {}

    public func note(_ sightings: [PeerSighting]) async throws {}

    public func code(digest: [UInt8]) async throws -> [UInt8]? { nil }

    public func receive(_ counts: WithheldCounts, from sender: PeerCertificate) async throws {
        throw ServerErrors.notServedHere
    }

    public func receive(_ forward: ForwardedPacket, from sender: PeerCertificate) async throws -> Receipt {
        throw ServerErrors.notServedHere
    }

    public func receive(_ update: SignatureUpdate, from sender: PeerCertificate) async throws -> Receipt {
        throw ServerErrors.notServedHere
    }

    public func updates(
        after position: FeedPosition, waitSeconds: Int, for subscriber: Identity
    ) async throws -> FeedPage {
        throw ServerErrors.notServedHere
    }

    public func agentOrder(for host: PeerCertificate, after report: AgentReport) async throws -> AgentAnswer {
        throw ServerErrors.notServedHere
    }

    public func installableAgent(for architecture: AgentArchitecture) async throws -> SignedManifest {
        throw ServerErrors.notServedHere
    }

    public func agentPart(_ number: Int, of sha256: String) async throws -> [UInt8]? {
        throw ServerErrors.notServedHere
    }
}
