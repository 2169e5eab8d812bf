// SPDX-License-Identifier: Apache-2.0

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

/// The way of a request: who sends it, may they, is it small enough, can it be read, is it theirs; then the intake.
/// Nothing reaches the intake unchecked, and no receipt leaves before the intake has returned.
struct RequestHandler: Sendable {
    let gate: PeerAuthenticator
    let intake: any CenterRequestHandling
    let enrolment: Enrolment

    /// The most that a forward or an update may measure, in bytes, as PacketCoding bounds them.
    private static let largestMessage = 128 * 1024

    func respond(to request: Request, on connection: Connection) async -> Response {
        do {
            return try await answer(request, on: connection)
        } catch let error as EpitopeError {
            connection.logger.notice(
                "Refused a request",
                metadata: ["path": "\(request.uri.path)", "code": "\(error.code.rawValue)", "reason": "\(error.message)"])
            if error.code == .packetTooLarge || error.code == .requestTooLarge { connection.closeSoon() }
            return HTTPResponses.refusal(error)
        } catch {
            let id = String(UInt64.random(in: .min ... .max), radix: 16)
            connection.logger.error(
                "Failed on a request", metadata: ["path": "\(request.uri.path)", "id": "\(id)", "error": "\(error)"])
            return HTTPResponses.refusal(Refusals.failure(id: id))
        }
    }

    private func answer(_ request: Request, on connection: Connection) async throws -> Response {
        switch (request.method, request.uri.path) {
        case (.post, ChannelPath.packets):
            let sender = try await admit(connection, to: .packets)
            let packet = try ExtractedPacket(encoded: try await packetBody(request, most: ExtractedPacket.maxEncodedBytes))
            try requireOwn(packet, name: sender.name)
            return HTTPResponses.protobuf(try await intake.receive(packet, from: sender).encoded())
        case (.post, ChannelPath.forwards):
            let sender = try await admit(connection, to: .forwards)
            let forward = try ForwardedPacket(encoded: try await packetBody(request, most: Self.largestMessage))
            // A site vouches for its hosts; it can't name two reporters for one packet.
            try requireOwn(forward.packet, name: forward.reporter)
            return HTTPResponses.protobuf(try await intake.receive(forward, from: sender).encoded())
        case (.post, ChannelPath.updates):
            let sender = try await admit(connection, to: .publishing)
            let update = try SignatureUpdate(encoded: try await packetBody(request, most: Self.largestMessage))
            return HTTPResponses.protobuf(try await intake.receive(update, from: sender).encoded())
        case (.get, ChannelPath.updates):
            let subscriber = try await admit(connection, to: .subscriptions)
            return HTTPResponses.protobuf(WireCoding.encode(try await updates(request, for: subscriber)))
        case (.post, ChannelPath.enroll):
            return try HTTPResponses.json(try await enrolment.enroll(try await jsonBody(request)))
        case (.post, ChannelPath.renew):
            let holder = try await gate.identify(connection.channel, forOneOf: [.host, .localCenter])
            return try HTTPResponses.json(try enrolment.renew(try await jsonBody(request), for: holder))
        case (.get, ChannelPath.health):
            // Open to all, but who shows a certificate learns whether it still counts.
            _ = try await gate.identifyIfShown(connection.channel)
            return try HTTPResponses.json(["status": "serving"])
        default:
            throw Refusals.notServedHere
        }
    }

    private func admit(_ connection: Connection, to service: CenterEndpoint) async throws -> Identity {
        let identity = try await gate.identify(connection.channel)
        guard intake.accepts.contains(service) else { throw Refusals.notServedHere }
        guard service.roles.contains(identity.role) else { throw Refusals.roleNotAllowed(identity) }
        return identity
    }

    /// A packet without a host id claims nothing: the certificate alone says whose it is.
    private func requireOwn(_ packet: ExtractedPacket, name: String) throws {
        guard let claimed = packet.parameters.system.hostID else { return }
        guard claimed == name else { throw Refusals.identityMismatch(claimed: claimed, sender: name) }
    }

    private func updates(_ request: Request, for subscriber: Identity) async throws -> [FeedEntry] {
        let query = request.uri.queryParameters
        guard let after = query["after"].flatMap({ Int64($0) }), after >= 0,
            let wait = Int(query["wait"] ?? "0"), wait >= 0
        else { throw Refusals.malformed("after and wait have to be numbers, not negative") }
        let seconds = min(wait, CenterClient.longestWaitSeconds)
        let intake = intake
        do {
            return try await cancelWhenGracefulShutdown {
                try await intake.updates(after: after, waitSeconds: seconds, for: subscriber)
            }
        } catch is CancellationError where Task.isShuttingDownGracefully {
            return []
        }
    }

    private func packetBody(_ request: Request, most: Int) async throws -> [UInt8] {
        try await body(
            request, most: most,
            tooLarge: EpitopeError(
                .packetTooLarge, "the message is larger than \(most) bytes",
                remedy: "send code of at most 8 KiB, with parameters within the bounds of the schema"))
    }

    private func jsonBody(_ request: Request) async throws -> [UInt8] {
        try await body(request, most: ChannelJSON.largest, tooLarge: Refusals.tooLarge(most: ChannelJSON.largest))
    }

    /// Reads a body, and no further than its bound: a length that is too large already in the header isn't begun.
    private func body(_ request: Request, most: Int, tooLarge: EpitopeError) async throws -> [UInt8] {
        if let length = request.headers[.contentLength].flatMap({ Int($0) }), length > most { throw tooLarge }
        do {
            return Array(buffer: try await request.body.collect(upTo: most))
        } catch is NIOTooManyBytesError {
            throw tooLarge
        }
    }
}
