// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import HTTPTypes
import Hummingbird
import HummingbirdCore
import NIOCore
import SecureChannel
import Synchronization

/// Hands out the host's application: to hosts, and to machines that have a token and nothing of Epitope yet.
///
/// What is answered without a certificate is public (the script, the authority's certificate), or needs a token that is good, which is
/// not used up by it.
extension RequestHandler {
    func handOut(_ request: Request, on connection: Connection) async throws -> Response {
        let path = request.uri.path
        switch (request.method, path) {
        case (.post, ChannelPath.agents):
            let host = try await authorize(connection, for: .agents)
            let body = try await jsonBody(request, on: connection)
            try await authenticator.requireNotRevoked(host)
            guard let report = try? ChannelJSON.decode(AgentReport.self, from: body), report.isValid else {
                throw ServerErrors.malformed("it is not what a host says of its version")
            }
            try enrolment.rations.takeAgentQuestion(host.identity, nowMilliseconds: enrolment.now())
            return try HTTPResponses.json(try await service.agentOrder(for: host, after: report))
        case (.get, ChannelPath.agentManifest):
            try await requireTaker(request, on: connection)
            guard let architecture = request.uri.queryParameters["architecture"].flatMap({ AgentArchitecture(rawValue: String($0)) }) else {
                throw ServerErrors.malformed("architecture is none that Epitope is built for")
            }
            return HTTPResponses.text(try await service.installableAgent(for: architecture).text)
        case (.get, _) where path.hasPrefix(ChannelPath.agentFiles):
            try await requireTaker(request, on: connection)
            let words = path.dropFirst(ChannelPath.agentFiles.count).split(separator: "/", omittingEmptySubsequences: false)
            guard words.count == 2, AgentManifest.isDigest(words[0]), let number = Int(words[1]), number >= 0 else {
                throw ServerErrors.malformed("it names no part of a file")
            }
            return try await handoutRoom.run {
                guard let bytes = try await service.agentPart(number, of: String(words[0])) else {
                    throw HandoutErrors.unknown("such program")
                }
                places.closeUnlessTaken(connection.channel, within: answerTime)
                return HTTPResponses.bytes(bytes)
            }
        case (.get, ChannelPath.authority) where service.accepts.contains(.agents):
            return HTTPResponses.text(enrolment.authorities.authorities.current.pem)
        case (.get, ChannelPath.install) where service.accepts.contains(.agents):
            return HTTPResponses.text(InstallScript.text)
        default:
            throw ServerErrors.notServedHere
        }
    }

    /// Makes sure that who asks is a host, or has a token for one.
    private func requireTaker(_ request: Request, on connection: Connection) async throws {
        guard let line = request.headers[.authorization], line.hasPrefix(Self.bearer) else {
            _ = try await authorize(connection, for: .agents)
            return
        }
        guard service.accepts.contains(.agents) else { throw ServerErrors.notServedHere }
        guard places.refusedEnrolments(on: connection.channel) < Self.maxRefusedEnrolments else {
            connection.closeSoon()
            throw ServerErrors.enrolledInVain
        }
        do {
            let token = try EnrolmentToken(line.dropFirst(Self.bearer.count))
            let name = HTTPField.Name("epitope-name").flatMap { request.headers[$0] }
            _ = try await enrolment.ledger.grant(
                ofToken: token.secretHash, to: EnrolmentApplicant(role: .host, name: name, address: connection.source),
                nowMilliseconds: enrolment.now())
        } catch let error as EpitopeError where Self.faultsOfEnrolments.contains(error.code) {
            places.enrolmentRefused(on: connection.channel)
            throw error
        }
    }

    private static let bearer = "Bearer "
}

/// How many parts of programs are read and answered at a time: each takes a megabyte.
final class HandoutRoom: Sendable {
    static let max = 64
    private let taken = Mutex(0)

    /// - Throws: `store-busy` where there is no room now; what the body throws.
    func run<Value>(_ body: () async throws -> Value) async throws -> Value {
        let isTaken = taken.withLock { taken in
            guard taken < Self.max else { return false }
            taken += 1
            return true
        }
        guard isTaken else {
            throw EpitopeError(
                .storeBusy, "the center hands out \(Self.max) parts of programs at a time already", remedy: "try again in a moment",
                retryAfterSeconds: 2)
        }
        defer { taken.withLock { $0 -= 1 } }
        return try await body()
    }
}
