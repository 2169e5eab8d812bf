// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Notifications
public import SettingsFiles

/// A receiver of notices.
public struct DestinationSettings: Hashable, Sendable, SettingsGroup {
    /// The kinds of receivers.
    public enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
        case webhook
        case slack
        case mattermost
        case email
        case syslog
        case file
        case otlp
    }

    /// How a message is written where a receiver can read several forms.
    public enum Format: String, Hashable, Sendable, Codable, CaseIterable {
        case json
        case ecs
        case ocsf
        case rfc5424
        case cef
    }

    /// The ways to syslog and to a mail server.
    public enum Transport: String, Hashable, Sendable, Codable, CaseIterable {
        case udp
        case tcp
        case tls
        case starttls
    }

    /// What receives: each kind needs keys of its own, see Notifications.md.
    public var kind: Kind?
    /// Of webhook, slack, mattermost and otlp: where to, `https://...`. Who may read the settings could read it: of a chat's webhook, which is a secret, use urlFile.
    public var url: ConfidentialText?
    /// A file that only its owner reads, with the url in one line.
    public var urlFile: String?
    /// Of webhook: a file that only its owner reads, with the key of the signature as Standard Webhooks writes it: `whsec_` and base64.
    public var secretFile: String?
    /// A file that only its owner reads, with a token for the header `Authorization: Bearer`.
    public var tokenFile: String?
    /// Of syslog and email: the receiver, `host:port`.
    public var address: String?
    /// Of syslog `udp`, `tcp` or `tls`; of email `starttls`, `tls`, or `tcp`, which is not encrypted.
    public var transport: Transport?
    /// Of webhook `json` (Standard Webhooks), `ecs` or `ocsf`; of file `ecs`, `ocsf` or `json`; of syslog `rfc5424` or `cef`. The first named is the default.
    public var format: Format?
    /// Of file: where lines are added. A file that is moved away is made anew.
    public var path: String?
    /// Of email: the sender's address.
    public var from: String?
    /// Of email: the receivers' addresses.
    public var to: [String] = []
    /// Of email: who logs in.
    public var user: String?
    /// Of email: a file that only its owner reads, with the password.
    public var passwordFile: String?
    /// The certificates of the authorities (PEM) that the receiver's is checked by; without it, the system's.
    public var authorityFile: String?
    /// Of syslog: the facility, 13 is log audit.
    public var facility = 13
    /// Whether an `http://` url may lead to another machine, and mail go out without TLS.
    public var plainText = false
    /// How many notices may wait for it. Beyond it the least severe are dropped, the oldest first, and that is counted.
    public var maxWaiting = 1000
    /// How long repeats of one kind are gathered into one notice; 0: never; -1: 300 for slack, mattermost and email, 0 for the others.
    public var groupSeconds = -1
    /// How long an attempt may take.
    public var timeoutSeconds = 10

    public init() {}

    public mutating func visit(_ visitor: inout some SettingsVisitor) throws {
        try visitor.setting("kind", &kind)
        try visitor.setting("url", &url)
        try visitor.setting("urlFile", &urlFile)
        try visitor.setting("secretFile", &secretFile)
        try visitor.setting("tokenFile", &tokenFile)
        try visitor.setting("address", &address)
        try visitor.setting("transport", &transport)
        try visitor.setting("format", &format)
        try visitor.setting("path", &path)
        try visitor.setting("from", &from)
        try visitor.setting("to", &to)
        try visitor.setting("user", &user)
        try visitor.setting("passwordFile", &passwordFile)
        try visitor.setting("authorityFile", &authorityFile)
        try visitor.setting("facility", &facility, in: 0...23)
        try visitor.setting("plainText", &plainText)
        try visitor.setting("maxWaiting", &maxWaiting, in: 1...10_000)
        try visitor.setting("groupSeconds", &groupSeconds, in: -1...86_400)
        try visitor.setting("timeoutSeconds", &timeoutSeconds, in: 1...300)
    }

    public static let liveKeys: Set<String> = [
        "kind", "url", "urlFile", "secretFile", "tokenFile", "address", "transport", "format", "path", "from", "to", "user", "passwordFile",
        "authorityFile", "facility", "plainText", "maxWaiting", "groupSeconds", "timeoutSeconds",
    ]

    /// How long repeats are gathered, in milliseconds.
    var windowMilliseconds: Int64 {
        guard groupSeconds < 0 else { return Int64(groupSeconds) * 1000 }
        switch kind {
        case .slack, .mattermost, .email: return 300_000
        default: return 0
        }
    }
}

extension DestinationSettings {
    /// The keys that a kind has beside those of all, and those of them that it needs.
    private static func keys(of kind: Kind) -> (possible: Set<String>, needed: Set<String>) {
        switch kind {
        case .webhook: (["url", "urlFile", "secretFile", "tokenFile", "authorityFile", "format", "plainText"], ["secretFile"])
        case .slack, .mattermost: (["url", "urlFile", "authorityFile", "plainText"], [])
        case .otlp: (["url", "urlFile", "tokenFile", "authorityFile", "plainText"], [])
        case .email:
            (["address", "transport", "from", "to", "user", "passwordFile", "authorityFile", "plainText"], ["address", "from", "to"])
        case .syslog: (["address", "transport", "format", "facility", "authorityFile"], ["address", "transport"])
        case .file: (["path", "format"], ["path"])
        }
    }

    /// The forms that a kind can write, the default first.
    static func formats(of kind: Kind) -> [Format] {
        switch kind {
        case .webhook: [.json, .ecs, .ocsf]
        case .file: [.ecs, .ocsf, .json]
        case .syslog: [.rfc5424, .cef]
        case .slack, .mattermost, .email, .otlp: []
        }
    }

    private static func transports(of kind: Kind) -> [Transport] {
        switch kind {
        case .email: [.starttls, .tls, .tcp]
        case .syslog: [.udp, .tcp, .tls]
        default: []
        }
    }

    /// The keys that are set, of those that not every kind has.
    private var given: Set<String> {
        let all: [(String, Bool)] = [
            ("url", url != nil), ("urlFile", urlFile != nil), ("secretFile", secretFile != nil), ("tokenFile", tokenFile != nil),
            ("address", address != nil), ("transport", transport != nil), ("format", format != nil), ("path", path != nil),
            ("from", from != nil), ("to", !to.isEmpty), ("user", user != nil), ("passwordFile", passwordFile != nil),
            ("authorityFile", authorityFile != nil), ("facility", facility != 13), ("plainText", plainText),
        ]
        return Set(all.filter(\.1).map(\.0))
    }

    public var faults: [SettingFault] {
        guard let kind else {
            return [
                Self.fault(
                    nil, "the destination has no kind", "set kind to one of: \(Kind.allCases.map(\.rawValue).joined(separator: ", "))")
            ]
        }
        let (possible, needed) = Self.keys(of: kind)
        var faults = given.subtracting(possible).sorted().map {
            Self.fault($0, "a destination of the kind \(kind.rawValue) has no '\($0)'", "leave it out, or change the kind")
        }
        faults += needed.subtracting(given).sorted().map {
            Self.fault(nil, "a destination of the kind \(kind.rawValue) needs '\($0)'", "set it: see Notifications.md")
        }
        if possible.contains("url"), (url != nil) == (urlFile != nil) {
            faults.append(Self.fault(nil, "a destination of the kind \(kind.rawValue) needs a url", "set url, or urlFile, and not both"))
        }
        if let format, possible.contains("format"), !Self.formats(of: kind).contains(format) {
            faults.append(
                Self.fault(
                    "format", "a destination of the kind \(kind.rawValue) can't be told in '\(format.rawValue)'",
                    Self.words(Self.formats(of: kind))))
        }
        if let transport, possible.contains("transport"), !Self.transports(of: kind).contains(transport) {
            faults.append(
                Self.fault(
                    "transport", "a destination of the kind \(kind.rawValue) can't be reached by '\(transport.rawValue)'",
                    Self.words(Self.transports(of: kind))))
        }
        for (name, file) in paths where !file.hasPrefix("/") {
            faults.append(Self.fault(name, "'\(name)' is no absolute path", "write it from / on"))
        }
        faults += SettingFault.of("url") { () throws(EpitopeError) in
            if let url { _ = try HTTPAddress(url.text, allowsPlainText: plainText) }
        }
        faults += SettingFault.of("address") { () throws(EpitopeError) in if let address { _ = try HostAndPort(address) } }
        return faults + mailFaults(kind)
    }

    /// The files that it names, by key.
    var paths: [(String, String)] {
        [
            ("urlFile", urlFile), ("secretFile", secretFile), ("tokenFile", tokenFile), ("path", path), ("passwordFile", passwordFile),
            ("authorityFile", authorityFile),
        ].compactMap { name, path in path.map { (name, $0) } }
    }

    private func mailFaults(_ kind: Kind) -> [SettingFault] {
        guard kind == .email else { return [] }
        var faults: [SettingFault] = []
        if let from, !MailMessage.isAddress(from) {
            faults.append(Self.fault("from", "'\(from.prefix(80))' is no mail address", "write it as name@example.org"))
        }
        for (index, address) in to.enumerated() where !MailMessage.isAddress(address) {
            faults.append(Self.fault("to.[\(index)]", "'\(address.prefix(80))' is no mail address", "write it as name@example.org"))
        }
        if to.count > 50 { faults.append(Self.fault("to", "there are \(to.count) receivers", "name at most 50, or a list")) }
        if (user == nil) != (passwordFile == nil) {
            faults.append(Self.fault(nil, "to log in needs user and passwordFile", "set both, or leave both out"))
        }
        if transport == .tcp, !plainText {
            faults.append(
                Self.fault(
                    "transport", "mail would go out without TLS, with its password if there is one",
                    "use starttls or tls; or say that it is meant, with plainText: true"))
        }
        return faults
    }

    private static func words(_ words: [some RawRepresentable<String>]) -> String {
        "use one of: \(words.map(\.rawValue).joined(separator: ", "))"
    }

    private static func fault(_ name: String?, _ message: String, _ remedy: String) -> SettingFault {
        SettingFault(name, EpitopeError(.configurationInvalid, message, remedy: remedy))
    }
}
