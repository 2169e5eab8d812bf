// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import EpitopeModel
import NIOCore
import NIOHTTP1
import NIOSSL

/// HTTPS to one center: requests out, bytes or an ``EpitopeError`` back.
///
/// TLS 1.3 at least. The chain must end at an authority given: one, or two while the center replaces it; the certificate must be a server's (no host has one), and it must
/// hold the name or address that was asked for, or the address that the name led to; not the address where a proxy stands in between.
/// Enrolment compares the name or address alone, exactly (``PresentedChain``).
struct CenterTransport: Sendable {
    private let client: HTTPClient
    let center: CenterAddress
    private let authorityPEM: String
    private let proxy: CenterProxy?
    private let note: SenderNote.Source

    /// How long a connection and its handshake may take.
    static let connectTimeout = TimeAmount.seconds(10)
    /// How long an answer may take, beyond the wait that a request asks for: a center's disk is allowed to be slow.
    static let defaultAnswerTimeout = TimeAmount.seconds(30)
    var answerTimeout = CenterTransport.defaultAnswerTimeout
    /// How long an idle connection is kept: longer than the default interval of `EnrolledClient.maintain`, and shorter than the
    /// center's own limit.
    static let idleTimeout = TimeAmount.seconds(120)
    /// How long a center may take to confirm a connection's end. One that holds an answer back reads nothing meanwhile, and a link that
    /// is stopped would wait for as long as the library does: five seconds.
    static let farewellTimeout = TimeAmount.milliseconds(200)
    /// Of an answer, in bytes: PacketCoding's bound on sequenced updates.
    static let maxAnswerBytes = 16 * 1024 * 1024

    init(_ identity: StoredIdentity, at center: CenterAddress, note: @escaping SenderNote.Source = { SenderNote() }) throws(EpitopeError) {
        try self.init(
            center: center, authorityPEM: identity.trustedPEM, credentials: (identity.certificatePEM, identity.keyPEM),
            proxy: try CenterProxy.find(for: center, relay: identity.relay), note: note)
    }

    /// - Parameter credentials: certificate and key (PEM); `nil` for enrolment.
    init(
        center: CenterAddress, authorityPEM: String, credentials: (certificate: String, key: String)?, relay: RelayAddress? = nil
    ) throws(EpitopeError) {
        try self.init(
            center: center, authorityPEM: authorityPEM, credentials: credentials,
            proxy: try CenterProxy.find(for: center, relay: relay))
    }

    /// - Parameters:
    ///   - authorityPEM: the certificates of the authorities that are trusted.
    ///   - proxy: on the way to the center.
    init(
        center: CenterAddress, authorityPEM: String, credentials: (certificate: String, key: String)?, proxy: CenterProxy?,
        note: @escaping SenderNote.Source = { SenderNote() }
    ) throws(EpitopeError) {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv13
        tls.shutdownTimeout = Self.farewellTimeout
        // Of a center that is named by its address the library would compare the certificate with the proxy's address. The chain, and
        // that the certificate is a server's, are checked all the same, and the authority has one server: its center.
        tls.certificateVerification = proxy != nil && center.serverName == nil ? .noHostnameVerification : .fullVerification
        tls.trustRoots = .certificates(try Self.certificates(authorityPEM))
        if let credentials {
            tls.certificateChain = try Self.certificates(credentials.certificate).map { .certificate($0) }
            do {
                tls.privateKey = .privateKey(try NIOSSLPrivateKey(bytes: Array(credentials.key.utf8), format: .pem))
            } catch {
                throw EpitopeError(
                    .keyMalformed, "this machine's private key can't be used", remedy: "enrol again with a new token")
            }
        }
        var pool = HTTPClient.Configuration.ConnectionPool(idleTimeout: Self.idleTimeout)
        // A refused connection is reported at once; the spool decides when to try again.
        pool.retryConnectionEstablishment = false
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow,
            timeout: .init(connect: Self.connectTimeout), connectionPool: pool)
        configuration.httpVersion = .http1Only
        configuration.proxy = proxy.map { proxy in
            .server(
                host: proxy.host, port: Int(proxy.port),
                authorization: proxy.login.map { .basic(username: $0.user, password: $0.password) })
        }
        self.proxy = proxy
        self.note = note
        self.client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        self.center = center
        self.authorityPEM = authorityPEM
    }

    func get(_ path: String, waitSeconds: Int) async throws(EpitopeError) -> [UInt8] {
        try await exchange(.GET, path, body: nil, type: nil, waitSeconds: waitSeconds)
    }

    func postProtobuf(_ path: String, _ body: [UInt8]) async throws(EpitopeError) -> [UInt8] {
        try await exchange(.POST, path, body: body, type: "application/x-protobuf", waitSeconds: 0)
    }

    func postJSON<Answer: Decodable>(_ path: String, _ message: some Encodable) async throws(EpitopeError) -> Answer {
        let body = try signing("encode a request") { try ChannelJSON.encode(message) }
        let bytes = try await exchange(.POST, path, body: body, type: "application/json", waitSeconds: 0)
        do {
            return try ChannelJSON.decode(Answer.self, from: bytes)
        } catch {
            throw ChannelFailure.malformedAnswer(of: center)
        }
    }

    func shutdown() async {
        // It fails only when it has been shut down already.
        try? await client.shutdown()
    }

    private func exchange(
        _ method: HTTPMethod, _ path: String, body: [UInt8]?, type: String?, waitSeconds: Int
    ) async throws(EpitopeError) -> [UInt8] {
        var request = HTTPClientRequest(url: center.description + path)
        request.method = method
        if let type { request.headers.add(name: "content-type", value: type) }
        for header in note().headers { request.headers.add(name: header.name, value: header.value) }
        if let body { request.body = .bytes(ByteBuffer(bytes: body)) }
        let deadline = NIODeadline.now() + answerTimeout + .seconds(Int64(waitSeconds))
        let status: HTTPResponseStatus
        let retryAfter: String?
        let answer: [UInt8]
        do {
            let response = try await execute(request, deadline: deadline)
            status = response.status
            retryAfter = response.headers.first(name: "retry-after")
            answer = try await Self.body(of: response, deadline: deadline)
        } catch {
            if ChannelFailure.isWrongPeer(error), let cause = await PresentedChain.clockError(of: center, by: proxy, authorityPEM) {
                throw cause
            }
            throw ChannelFailure.error(for: error, center: center, by: proxy)
        }
        guard status == .ok else { throw ChannelFailure.refusal(answer, retryAfter: retryAfter, of: center) }
        return answer
    }

    /// Sends a request, and sends it again when the center closed an idle connection just before. Every message is safe to
    /// send twice: a center keeps the first of two with one id.
    private func execute(_ request: HTTPClientRequest, deadline: NIODeadline) async throws -> HTTPClientResponse {
        do {
            return try await client.execute(request, deadline: deadline)
        } catch let error as HTTPClientError where error == .remoteConnectionClosed {
            return try await client.execute(request, deadline: deadline)
        }
    }

    /// The body of an answer. The client's own deadline is for the head alone: a center that hangs in the middle of an answer, or is
    /// cut off then, must not hold who asked for ever.
    private static func body(of response: HTTPClientResponse, deadline: NIODeadline) async throws -> [UInt8] {
        try await withThrowingTaskGroup(of: [UInt8].self) { group in
            group.addTask { Array(buffer: try await response.body.collect(upTo: maxAnswerBytes)) }
            group.addTask {
                try await Task.sleep(for: .nanoseconds(max(0, (deadline - .now()).nanoseconds)))
                throw HTTPClientError.deadlineExceeded
            }
            defer { group.cancelAll() }
            return try await group.next() ?? []
        }
    }

    private static func certificates(_ pem: String) throws(EpitopeError) -> [NIOSSLCertificate] {
        do {
            return try NIOSSLCertificate.fromPEMBytes(Array(pem.utf8))
        } catch {
            throw EpitopeError(
                .certificateMalformed, "a certificate of this machine's identity can't be used",
                remedy: "enrol again with a new token")
        }
    }
}
