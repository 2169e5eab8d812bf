// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Notifications
import SettingsFiles

/// What became of notices that were sent.
struct DeliveryOutcome: Hashable, Sendable {
    /// What the receiver said, in one line.
    var answer: String
    /// How many of them it will never take.
    var refused = 0
    /// Why.
    var refusal: EpitopeError?
}

/// The way to one destination.
protocol NoticeTransport: Sendable {
    /// How many notices are sent at once.
    var batch: Int { get }

    /// Sends notices. On return the receiver has them, or will never take them; after an error they are to be sent again.
    func send(_ notices: [Notice]) async throws(EpitopeError) -> DeliveryOutcome

    /// Ends what is open.
    func close() async
}

extension NoticeTransport {
    func close() async {}
}

extension DestinationSettings {
    /// The way to it. Nothing is opened, and no secret read, before something is sent.
    func transport(from sender: NoticeSender) throws(EpitopeError) -> any NoticeTransport {
        switch kind {
        case .webhook, .slack, .mattermost, .otlp: return HTTPTransport(self, sender: sender)
        case .syslog: return SyslogTransport(self, to: try HostAndPort(address ?? ""), sender: sender)
        case .email: return MailTransport(self, to: try HostAndPort(address ?? ""), sender: sender)
        case .file: return FileTransport(path: path ?? "", format: format ?? .ecs, timeoutSeconds: timeoutSeconds, sender: sender)
        case nil: throw EpitopeError(.configurationInvalid, "the destination has no kind", remedy: "set kind")
        }
    }
}

/// One line of what a receiver said, for a person: bounded, and without control characters.
func excerpt(_ bytes: some Sequence<UInt8>) -> String {
    let text = String(decoding: Array(bytes.prefix(400)), as: UTF8.self)
    let line = text.unicodeScalars.map { scalar in
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: " "
        default: String(scalar)
        }
    }.joined()
    return String(line.prefix(200)).split(separator: " ").joined(separator: " ")
}
