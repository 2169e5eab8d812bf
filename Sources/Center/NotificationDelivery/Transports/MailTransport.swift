// SPDX-License-Identifier: Apache-2.0

import CCurl
import EpitopeModel
import Foundation
import Notifications

/// Notices by mail: SMTP with STARTTLS or TLS, through libcurl.
final class MailTransport: NoticeTransport {
    private let settings: DestinationSettings
    private let address: HostAndPort
    private let sender: NoticeSender
    private let turn = BlockingTurn(label: "epitope.notices-mail")

    let batch = 1

    init(_ settings: DestinationSettings, to address: HostAndPort, sender: NoticeSender) {
        self.settings = settings
        self.address = address
        self.sender = sender
    }

    private var place: String { "the mail server at \(address)" }

    func send(_ notices: [Notice]) async throws(EpitopeError) -> DeliveryOutcome {
        guard let notice = notices.first, let from = settings.from else { return DeliveryOutcome(answer: "nothing to send") }
        let password = try settings.passwordFile.map { path throws(EpitopeError) in try SecretFile(path: path).line() }
        // The server is greeted with this machine's name, as far as that is one.
        let name = String(sender.host.filter { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == ".") })
        let mail = OutgoingMail(
            url: "\(settings.transport == .tls ? "smtps" : "smtp")://\(address)/\(name.isEmpty ? "localhost" : name)", from: from,
            to: settings.to, message: MailMessage.bytes(notice, from: sender, address: from, to: settings.to), user: settings.user,
            password: password, authorities: settings.authorityFile, needsTLS: settings.transport != .tcp,
            timeoutMilliseconds: settings.timeoutSeconds * 1000)
        let limit = Duration.seconds(settings.timeoutSeconds + 2)
        guard let result = await turn.run(atMost: limit, { mail.send() }) else {
            throw DeliveryFailure.timeout(place, settings.timeoutSeconds)
        }
        guard let result else {
            throw EpitopeError(
                .libcurlMissing, "mail can't be sent: libcurl (libcurl.so.4) is not installed",
                remedy: "install it: apt-get install libcurl4, or dnf install libcurl")
        }
        return try outcome(result)
    }

    private func outcome(_ result: SentMail) throws(EpitopeError) -> DeliveryOutcome {
        let said = result.reply.isEmpty ? result.error : result.reply
        switch result.code {
        case 0: return DeliveryOutcome(answer: said)
        // Of libcurl-errors(3): couldn't resolve or connect; timeout; TLS.
        case 6, 7: throw DeliveryFailure.unreachable(place, result.error)
        case 28: throw DeliveryFailure.timeout(place, settings.timeoutSeconds)
        case 35, 51, 53, 54, 58, 59, 60, 64, 66, 77, 83, 90, 91: throw DeliveryFailure.untrusted(place, result.error)
        default:
            // RFC 5321, 4.2.3, and RFC 3463: the message itself is not wanted.
            if [552, 554].contains(result.replyCode), result.code == 55 || result.code == 56 || result.code == 25 || result.code == 8 {
                return DeliveryOutcome(answer: said, refused: 1, refusal: DeliveryFailure.noticeRefused(place, said))
            }
            throw result.replyCode >= 400 || result.code == 67
                ? DeliveryFailure.refused(place, said) : DeliveryFailure.unreachable(place, result.error)
        }
    }
}

/// What became of a mail.
private struct SentMail: Sendable {
    var code: Int32
    var replyCode: Int
    var reply: String
    var error: String
}

/// A mail as libcurl takes it.
private struct OutgoingMail: Sendable {
    var url: String
    var from: String
    var to: [String]
    var message: [UInt8]
    var user: String?
    var password: String?
    var authorities: String?
    var needsTLS: Bool
    var timeoutMilliseconds: Int

    /// Blocks. `nil`: there is no libcurl.
    func send() -> SentMail? {
        let texts = ([url, "<\(from)>", user, password, authorities] + to.map { "<\($0)>" }).map { $0.flatMap { strdup($0) } }
        defer { for text in texts { free(text) } }
        var result = epitope_mail_result()
        let receivers = texts.dropFirst(5).map { UnsafePointer($0) }
        let status = receivers.withUnsafeBufferPointer { receivers in
            message.withUnsafeBufferPointer { message in
                var mail = epitope_mail(
                    url: texts[0], from: texts[1], to: receivers.baseAddress, receivers: receivers.count, message: message.baseAddress,
                    length: message.count, user: texts[2], password: texts[3], authorities: texts[4], needs_tls: needsTLS,
                    timeout_ms: timeoutMilliseconds)
                return epitope_mail_send(&mail, &result)
            }
        }
        guard status == 0 else { return nil }
        func text(_ bytes: UnsafeRawBufferPointer) -> String { excerpt(bytes.prefix { $0 != 0 }) }
        return SentMail(
            code: result.code, replyCode: result.reply_code, reply: withUnsafeBytes(of: result.reply, text),
            error: withUnsafeBytes(of: result.error, text))
    }
}
