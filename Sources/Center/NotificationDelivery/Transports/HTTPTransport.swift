// SPDX-License-Identifier: Apache-2.0

import AsyncHTTPClient
import EpitopeModel
import Foundation
import NIOCore
import NIOHTTP1
import NIOSSL
import Notifications
import SettingsFiles
import Synchronization

/// Notices to webhooks, chats and OpenTelemetry's collectors.
///
/// No redirect is followed: it would lead where the settings don't say.
final class HTTPTransport: NoticeTransport {
    private let settings: DestinationSettings
    private let sender: NoticeSender
    /// Made with the first notice, and anew when the authorities have changed.
    private let made = Mutex<Made?>(nil)

    private struct Made {
        var client: HTTPClient
        var tls: TLSConfiguration
    }

    /// Of an answer, in bytes.
    private static let maxAnswerBytes = 64 << 10

    init(_ settings: DestinationSettings, sender: NoticeSender) {
        self.settings = settings
        self.sender = sender
    }

    var batch: Int { settings.kind == .otlp ? 100 : 1 }

    func send(_ notices: [Notice]) async throws(EpitopeError) -> DeliveryOutcome {
        let address = try address()
        let request = try request(notices, to: address)
        let client = try await client()
        let (status, retryAfter, body): (UInt, String?, [UInt8])
        do {
            let deadline = NIODeadline.now() + .seconds(Int64(settings.timeoutSeconds))
            let response = try await client.execute(request, deadline: deadline)
            (status, retryAfter) = (response.status.code, response.headers.first(name: "retry-after"))
            body = try await Self.body(of: response, deadline: deadline)
        } catch {
            throw failure(error, address.place)
        }
        let said = "\(status)" + (body.isEmpty ? "" : ": \(excerpt(body))")
        switch status {
        case 200..<300:
            var outcome = DeliveryOutcome(answer: said)
            if settings.kind == .otlp, let rejected = Self.rejected(body), rejected > 0 {
                outcome.refused = min(rejected, notices.count)
                outcome.refusal = DeliveryFailure.noticeRefused(address.place, said)
            }
            return outcome
        // What is wrong with the message stays wrong.
        case 400, 413, 415, 422:
            return DeliveryOutcome(answer: said, refused: notices.count, refusal: DeliveryFailure.noticeRefused(address.place, said))
        default:
            let seconds = retryAfter.flatMap { Int($0) }.map { min(max(0, $0), 3600) }
            throw DeliveryFailure.refused(address.place, said, retryAfterSeconds: seconds)
        }
    }

    func close() async {
        let made = made.withLock { made in
            defer { made = nil }
            return made
        }
        // It fails only where it was shut down before.
        try? await made?.client.shutdown()
    }

    private func address() throws(EpitopeError) -> HTTPAddress {
        if let url = settings.url { return try HTTPAddress(url.text, allowsPlainText: settings.plainText) }
        let file = SecretFile(path: settings.urlFile ?? "")
        let text = try file.line()
        do throws(EpitopeError) {
            return try HTTPAddress(text, allowsPlainText: settings.plainText)
        } catch {
            throw file.refusal("holds no usable address: \(error.message)", error.remedy)
        }
    }

    private func request(_ notices: [Notice], to address: HTTPAddress) throws(EpitopeError) -> HTTPClientRequest {
        let now = Int64(Date().timeIntervalSince1970 * 1000)
        var request = HTTPClientRequest(url: address.text)
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        request.headers.add(name: "user-agent", value: "epitope/\(sender.version)")
        var body: [UInt8] = []
        if let notice = notices.first {
            body =
                switch (settings.kind, settings.format) {
                case (.slack, _): ChatMessage.body(notice, from: sender, in: .slack)
                case (.mattermost, _): ChatMessage.body(notice, from: sender, in: .mattermost)
                case (.otlp, _): OTLPLogs.body(notices, from: sender, observedMilliseconds: now)
                case (_, .ecs): ECSDocument.bytes(notice, from: sender)
                case (_, .ocsf): OCSFFinding.bytes(notice, from: sender)
                default: WebhookMessage.body(notice, from: sender)
                }
            if let path = settings.secretFile {
                let file = SecretFile(path: path)
                guard let signature = WebhookSignature(secret: try file.bytes()) else {
                    throw file.refusal(
                        "holds no key of a signature", "make one: printf 'whsec_%s\\n' \"$(head -c 32 /dev/urandom | base64)\" > \(path)")
                }
                for header in signature.headers(id: notice.id, seconds: now / 1000, body: body) {
                    request.headers.add(name: header.name, value: header.value)
                }
            }
        }
        if let path = settings.tokenFile {
            request.headers.add(name: "authorization", value: "Bearer \(try SecretFile(path: path).line())")
        }
        request.body = .bytes(ByteBuffer(bytes: body))
        return request
    }

    private func client() async throws(EpitopeError) -> HTTPClient {
        let tls = try TLSTrust.configuration(settings.authorityFile)
        let timeout = TimeAmount.seconds(Int64(settings.timeoutSeconds))
        if let made = made.withLock({ $0 }) {
            if made.tls.bestEffortEquals(tls) { return made.client }
            await close()
        }
        // A connection that is kept might be dead when the next notice comes.
        var pool = HTTPClient.Configuration.ConnectionPool(idleTimeout: .seconds(5))
        pool.retryConnectionEstablishment = false
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow, timeout: .init(connect: timeout, read: timeout), connectionPool: pool)
        configuration.httpVersion = .http1Only
        let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        made.withLock { $0 = Made(client: client, tls: tls) }
        return client
    }

    private static func body(of response: HTTPClientResponse, deadline: NIODeadline) async throws -> [UInt8] {
        try await withThrowingTaskGroup(of: [UInt8]?.self) { group in
            group.addTask {
                var bytes: [UInt8] = []
                for try await part in response.body {
                    bytes += part.readableBytesView.prefix(maxAnswerBytes - bytes.count)
                    if bytes.count >= maxAnswerBytes { break }
                }
                return bytes
            }
            group.addTask {
                let left = deadline - NIODeadline.now()
                try? await Task.sleep(for: .nanoseconds(max(0, left.nanoseconds)))
                return nil
            }
            defer { group.cancelAll() }
            guard let bytes = try await group.next() ?? nil else { throw HTTPClientError.deadlineExceeded }
            return bytes
        }
    }

    private func failure(_ error: any Error, _ place: String) -> EpitopeError {
        switch error {
        case let error as HTTPClientError where [.deadlineExceeded, .connectTimeout, .readTimeout, .tlsHandshakeTimeout].contains(error):
            DeliveryFailure.timeout(place, settings.timeoutSeconds)
        case is NIOSSLError, is NIOSSLExtraError, is BoringSSLError: DeliveryFailure.untrusted(place, excerpt("\(error)".utf8))
        default: DeliveryFailure.unreachable(place, excerpt("\(error)".utf8))
        }
    }

    /// How many logs a collector says it rejected (ExportLogsPartialSuccess).
    private static func rejected(_ body: [UInt8]) -> Int? {
        struct Answer: Decodable {
            struct PartialSuccess: Decodable {
                var rejectedLogRecords: Count?
            }
            enum Count: Decodable {
                case number(Int)

                init(from decoder: any Decoder) throws {
                    let container = try decoder.singleValueContainer()
                    // 64 bits are a text in protobuf's JSON; not every collector keeps to it.
                    if let number = try? container.decode(Int.self) {
                        self = .number(number)
                    } else {
                        self = .number(Int(try container.decode(String.self)) ?? 0)
                    }
                }
            }
            var partialSuccess: PartialSuccess?
        }
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(body)),
            case .number(let count)? = answer.partialSuccess?.rejectedLogRecords
        else { return nil }
        return count
    }
}

/// Whose certificates are trusted.
enum TLSTrust {
    /// - Parameter authorityFile: certificates (PEM); `nil`: the system's.
    /// - Throws: `secret-unusable` where the file can't be read.
    static func configuration(_ authorityFile: String?) throws(EpitopeError) -> TLSConfiguration {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        if let authorityFile {
            do {
                tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(authorityFile))
            } catch {
                throw EpitopeError(
                    .secretUnusable, "the file \(authorityFile) of authorities can't be used: \(error)",
                    remedy: "put certificates in PEM there, which the user who runs the center may read")
            }
        }
        return tls
    }
}
