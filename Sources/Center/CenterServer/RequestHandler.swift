// SPDX-License-Identifier: Apache-2.0

import CenterMetrics
import EpitopeModel
import HTTPTypes
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import PacketCoding
import SecureChannel
import ServiceLifecycle
import Signatures

/// Handles a request: authenticate the sender, check its role, bound and decode the message, check whose it is, then pass
/// it to the center's service. This is the only place where these checks are made.
///
/// Nothing reaches the service unchecked, and no receipt is sent before the service has returned.
struct RequestHandler: Sendable {
    let places: ConnectionPlaces
    let authenticator: PeerAuthenticator
    let service: any CenterRequestHandling
    let enrolment: Enrolment
    let sightings: SightingBook
    /// How long a peer may take to take a long answer.
    let answerTime: TimeAmount
    let counters: CenterCounters
    let handoutRoom = HandoutRoom()
    private let refusals = RefusalLog()
    private var counts: RequestCounts { RequestCounts(counters: counters) }

    /// Of a forward or an update, in bytes, as PacketCoding bounds them.
    private static let maxMessageBytes = 128 * 1024
    /// Of one count of what a host withheld in a day: calls can't be more.
    private static let maxWithheld = 1 << 40

    /// Whoever makes tokens up needs a new connection after so many, and a machine has a bounded number of these.
    static let maxRefusedEnrolments = 8
    static let faultsOfEnrolments: Set<EpitopeError.Code> = [
        .tokenMalformed, .tokenUnknown, .tokenRevoked, .tokenUsed, .tokenExpired, .tokenOfAnotherRole, .tokenOfAnotherName,
        .tokenOfAnotherNetwork, .nameInvalid, .nameTaken, .requestMalformed,
    ]

    /// How long the body of a request may take to come in.
    private static let bodyTime = TimeAmount.seconds(30)

    /// Answers in a task of the request's own: what a task's frames once took is its own until it ends, and a connection's would keep
    /// some 50 KB through its idle hours.
    func respond(to request: Request, on connection: Connection) async -> Response {
        await withTaskGroup(of: Response.self) { group in
            group.addTask { await answer(request, on: connection) }
            // Of one task that throws nothing there is a result.
            return await group.next()!
        }
    }

    private func answer(_ request: Request, on connection: Connection) async -> Response {
        places.requestBegan(connection.channel)
        defer { places.requestEnded(connection.channel) }
        do {
            let response = try await route(request, on: connection)
            noteSender(of: request, on: connection)
            return response
        } catch let error as EpitopeError {
            counts.refused(request.uri.path, error)
            if !refusals.refused(request.uri.path, error, by: connection.logger) { counters.lost.add(.refusalsNotLogged) }
            if error.code == .packetTooLarge || error.code == .requestTooLarge { connection.closeSoon() }
            return HTTPResponses.refusal(error)
        } catch {
            counters.failed.add()
            let id = String(UInt64.random(in: .min ... .max), radix: 16)
            connection.logger.error(
                "Failed on a request", metadata: ["path": "\(request.uri.path)", "id": "\(id)", "error": "\(error)"])
            return HTTPResponses.refusal(ServerErrors.failure(id: id))
        }
    }

    /// Who is in, and what it says of itself. One that is refused has not been seen.
    private func noteSender(of request: Request, on connection: Connection) {
        guard let peer = places.peer(of: connection.channel) else { return }
        let note = SenderNote { header in HTTPField.Name(header.rawValue).flatMap { request.headers[$0] } }
        sightings.note(
            PeerSighting(
                identity: peer.identity, seenMilliseconds: enrolment.now(), address: connection.source?.description,
                certificateUntilMilliseconds: peer.expiresMilliseconds, authority: Hex.encode(peer.authority), note: note))
    }

    private func route(_ request: Request, on connection: Connection) async throws -> Response {
        switch (request.method, request.uri.path) {
        case (.post, ChannelPath.packets):
            let (sender, body) = try await message(request, on: connection, for: .packets, max: ExtractedPacket.maxEncodedBytes)
            var packet = try ReceivedPacket(encoded: body)
            packet.source = connection.source
            try requireOwner(of: packet.value, toBe: sender.identity.name)
            return HTTPResponses.protobuf(counts.acknowledged(.packet, try await service.receive(packet, from: sender)).encoded())
        case (.post, ChannelPath.offers):
            let (sender, frame) = try await message(request, on: connection, for: .packets, max: ExtractedPacket.maxEncodedBytes)
            var packet = try ReceivedPacket(encoded: try await offered(request, frame: frame))
            packet.source = connection.source
            try requireOwner(of: packet.value, toBe: sender.identity.name)
            return HTTPResponses.protobuf(counts.acknowledged(.packet, try await service.receive(packet, from: sender)).encoded())
        case (.post, ChannelPath.withheld):
            let peer = try await authorize(connection, for: .packets)
            let body = try await jsonBody(request, on: connection)
            try await authenticator.requireNotRevoked(peer)
            guard let counts = try? ChannelJSON.decode(WithheldCounts.self, from: body),
                counts.isWithin(max: Self.maxWithheld)
            else { throw ServerErrors.malformed("it is not a count of what a host withheld") }
            try enrolment.rations.takeNote(peer.identity, nowMilliseconds: enrolment.now())
            try await service.receive(counts, from: peer)
            return try HTTPResponses.json(["status": "noted"])
        case (.post, ChannelPath.forwards):
            let (sender, body) = try await message(request, on: connection, for: .forwards, max: Self.maxMessageBytes)
            return try await receive(ForwardedPacket(encoded: body), from: sender)
        case (.post, ChannelPath.forwardOffers):
            let (sender, frame) = try await message(request, on: connection, for: .forwards, max: Self.maxMessageBytes)
            return try await receive(ForwardedPacket(encoded: try await offered(request, frame: frame)), from: sender)
        case (.post, ChannelPath.updates):
            let (sender, body) = try await message(request, on: connection, for: .publishing, max: Self.maxMessageBytes)
            let update = try SignatureUpdate(encoded: body)
            return HTTPResponses.protobuf(counts.acknowledged(.update, try await service.receive(update, from: sender)).encoded())
        case (.get, ChannelPath.updates):
            let subscriber = try await authorize(connection, for: .subscriptions)
            counters.subscribersWaiting.add(1)
            defer { counters.subscribersWaiting.add(-1) }
            let news = try await updates(request, for: subscriber.identity)
            // Who is revoked while it waits for updates gets none.
            try await authenticator.requireNotRevoked(subscriber)
            places.closeUnlessTaken(connection.channel, within: answerTime)
            counters.polls.add()
            return HTTPResponses.protobuf(WireCoding.encode(news))
        case (.post, ChannelPath.enroll):
            return try HTTPResponses.json(try await enroll(request, on: connection))
        case (.post, ChannelPath.renew):
            // The body first: who is revoked while it trickles in gets nothing.
            let body = try await jsonBody(request, on: connection)
            let holder = try await authenticator.identifyForRenewal(
                connection.channel, graceMilliseconds: enrolment.renewalGraceMilliseconds)
            var (renewed, authority) = try await enrolment.renew(body, for: holder)
            renewed.authorities = news(forHolderOf: authority.fingerprint)
            counters.issued.add(.renewal)
            return try HTTPResponses.json(renewed)
        case (.get, ChannelPath.health):
            // Open to all, but a peer that shows a certificate is told whether it is still valid.
            let peer = try await authenticator.identifyIfShown(connection.channel)
            let keepAlive = peer.map { _ in KeepAliveAdvice(beside: places.use) }
            var response = try HTTPResponses.json(
                HealthAnswer(
                    service.health, keepAlive: keepAlive, centers: peer.map { _ in service.centers },
                    authority: peer.map { news(forHolderOf: $0.authority) }))
            if keepAlive?.keepOpen == false {
                response.headers[.connection] = "close"
                connection.closeSoon()
            }
            return response
        default:
            return try await handOut(request, on: connection)
        }
    }

    /// What a peer is told of the center's authorities, who has a certificate of one.
    private func news(forHolderOf authority: [UInt8]) -> AuthorityNews {
        let book = enrolment.authorities
        return AuthorityNews(
            presented: Hex.encode(book.presented),
            // As many seconds as there are peers: half a day for a fleet that fills the center.
            successor: book.announced.flatMap { next in
                authority == next.certificate.fingerprint
                    ? nil : SuccessorAnnouncement(next, withinSeconds: min(places.use.identified, AuthorityNews.maxSeconds))
            })
    }

    private func enroll(_ request: Request, on connection: Connection) async throws -> IssuedCertificate {
        guard places.refusedEnrolments(on: connection.channel) < Self.maxRefusedEnrolments else {
            connection.closeSoon()
            throw ServerErrors.enrolledInVain
        }
        do {
            let body = try await jsonBody(request, on: connection)
            let source = connection.source
            let issued = try await places.whilePresent(on: connection.channel) { try await enrolment.enroll(body, from: source) }
            counters.issued.add(.enrolment)
            return issued
        } catch is CancellationError {
            throw ServerErrors.leftBeforeItsTurn
        } catch let error as EpitopeError where Self.faultsOfEnrolments.contains(error.code) {
            places.enrolmentRefused(on: connection.channel)
            if error.code.rawValue.hasPrefix("token-") { counters.refusedTokens.add(error.code.rawValue) }
            throw error
        }
    }

    func authorize(_ connection: Connection, for endpoint: CenterEndpoint) async throws -> PeerCertificate {
        let peer = try await authenticator.identify(connection.channel)
        guard service.accepts.contains(endpoint) else { throw ServerErrors.notServedHere }
        guard endpoint.roles.contains(peer.identity.role) else { throw ServerErrors.roleNotAllowed(peer.identity) }
        return peer
    }

    /// A message and its sender, who may use the endpoint: before the body is read, and still once it is there. Who is revoked
    /// while it trickles in has said nothing.
    private func message(
        _ request: Request, on connection: Connection, for endpoint: CenterEndpoint, max: Int
    ) async throws -> (sender: PeerCertificate, body: [UInt8]) {
        let peer = try await authorize(connection, for: endpoint)
        let body = try await messageBody(request, on: connection, max: max)
        try await authenticator.requireNotRevoked(peer)
        counts.received(endpoint.messageKind, bytes: body.count)
        if let source = connection.source {
            try await service.noteSource(of: peer.identity, address: source.description)
        }
        return (peer, body)
    }

    /// Checks that a packet names no other host than its sender. A packet without a host id belongs to its sender.
    private func requireOwner(of packet: ExtractedPacket, toBe name: String) throws {
        guard let claimed = packet.parameters.system.hostID else { return }
        guard claimed == name else { throw ServerErrors.identityMismatch(claimed: claimed, sender: name) }
    }

    private func receive(_ forward: ForwardedPacket, from sender: PeerCertificate) async throws -> Response {
        // A site vouches for its hosts, but one packet has one reporter.
        try requireOwner(of: forward.packet, toBe: forward.reporter)
        return HTTPResponses.protobuf(counts.acknowledged(.forward, try await service.receive(forward, from: sender)).encoded())
    }

    /// The wire form of a message that came without its code: put together, it is checked as any other.
    private func offered(_ request: Request, frame: [UInt8]) async throws -> [UInt8] {
        let query = request.uri.queryParameters
        guard let offer = CodeOffer(code: query["code"], place: query["at"], frame: frame) else {
            throw ServerErrors.malformed("code and at must be a SHA-256 and a place in the body")
        }
        guard let code = try await service.code(digest: offer.digest) else { throw ServerErrors.codeWanted }
        guard let bytes = offer.joined(with: code) else { throw ServerErrors.codeWanted }
        return bytes
    }

    private func updates(_ request: Request, for subscriber: Identity) async throws -> FeedPage {
        let query = request.uri.queryParameters
        guard let after = query["after"].flatMap({ Int64($0) }), after >= 0,
            let wait = Int(query["wait"] ?? "0"), wait >= 0, let mark = UInt64(query["mark"] ?? "0")
        else { throw ServerErrors.malformed("after, mark and wait must be numbers from 0 up") }
        let seconds = min(wait, CenterClient.maxWaitSeconds)
        let service = service
        do {
            return try await cancelWhenGracefulShutdown {
                try await service.updates(
                    after: FeedPosition(sequence: after, mark: mark), waitSeconds: seconds, for: subscriber)
            }
        } catch is CancellationError where Task.isShuttingDownGracefully {
            return FeedPage()
        }
    }

    private func messageBody(_ request: Request, on connection: Connection, max: Int) async throws -> [UInt8] {
        try await body(
            request, on: connection, max: max,
            tooLarge: EpitopeError(
                .packetTooLarge, "the message is larger than \(max) bytes",
                remedy: "send code of at most 8 KiB, with parameters within the bounds of the schema"))
    }

    func jsonBody(_ request: Request, on connection: Connection) async throws -> [UInt8] {
        try await body(request, on: connection, max: ChannelJSON.maxBytes, tooLarge: ServerErrors.tooLarge(max: ChannelJSON.maxBytes))
    }

    /// Reads a body up to its bound, within its time: the connection of a peer that is slower is closed. One whose header already
    /// gives a larger length is not read at all.
    private func body(_ request: Request, on connection: Connection, max: Int, tooLarge: EpitopeError) async throws -> [UInt8] {
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > max { throw tooLarge }
        let channel = connection.channel
        let deadline = channel.eventLoop.scheduleTask(in: Self.bodyTime) { channel.close(promise: nil) }
        defer { deadline.cancel() }
        do {
            return Array(buffer: try await request.body.collect(upTo: max))
        } catch is NIOTooManyBytesError {
            throw tooLarge
        } catch let error where !(error is CancellationError) {
            // The peer's doing, which it can repeat: it is told of within bounds, as what is refused.
            let seconds = Self.bodyTime.nanoseconds / 1_000_000_000
            throw ServerErrors.malformed("its body did not come in whole: the connection ended, or \(seconds) seconds were over")
        }
    }
}
