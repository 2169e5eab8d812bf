// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Signatures

/// A notice for people in a chat, in the JSON that incoming webhooks take.
///
/// What others wrote stands in code spans, which have no markup in them: no link, no mention, no formatting.
public enum ChatMessage {
    /// The dialects of incoming webhooks.
    public enum Dialect: Hashable, Sendable {
        case slack
        case mattermost
    }

    /// The body of the request.
    public static func body(_ notice: Notice, from sender: NoticeSender, in dialect: Dialect) -> [UInt8] {
        let text = text(notice, from: sender, in: dialect)
        switch dialect {
        // Slack would fetch what looks like a link.
        case .slack:
            return JSONText.object([
                ("text", .string(text)), ("unfurl_links", .flag(false)), ("unfurl_media", .flag(false)),
            ]).bytes
        case .mattermost: return JSONText.object([("username", .string("epitope")), ("text", .string(text))]).bytes
        }
    }

    private static func text(_ notice: Notice, from sender: NoticeSender, in dialect: Dialect) -> String {
        let event = notice.event
        func code(_ text: String) -> String { "`\(dialect == .slack ? slack(text) : mattermost(text))`" }
        let bold = dialect == .slack ? "*" : "**"
        var lines = ["\(bold)\(notice.headline)\(bold) (\(notice.severity.rawValue))"]
        lines.append(notice.count == 1 ? code(event.subject) : notice.subjects.map(code).joined(separator: ", "))
        if notice.count > notice.subjects.count { lines[1] += ", ..." }
        if !event.detail.isEmpty { lines.append(code(event.detail)) }
        var facts: [String] = []
        if let grade = event.grade { facts.append("grade \(grade.rawValue)") }
        if let sid = event.sid { facts.append("sid \(sid)") }
        if !event.hosts.isEmpty { facts.append("hosts " + event.hosts.map(code).joined(separator: ", ")) }
        facts.append("\(sender.center) \(code(sender.host))")
        let times = notice.count == 1 ? "" : "\(Timestamp.text(notice.firstMilliseconds)) to "
        facts.append(times + Timestamp.text(event.timeMilliseconds))
        lines.append(facts.joined(separator: " | "))
        return lines.joined(separator: "\n")
    }

    /// Slack reads `&`, `<` and `>` as markup everywhere. A backtick would end the code span.
    private static func slack(_ text: String) -> String {
        var escaped = ""
        for character in text {
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "`": escaped += "'"
            default: escaped.append(character)
            }
        }
        return escaped.isEmpty ? " " : escaped
    }

    /// Mattermost looks for Slack's mentions (`<!channel>`) before it reads Markdown: a zero-width space behind `<` and `@` leaves none.
    private static func mattermost(_ text: String) -> String {
        var escaped = ""
        for character in text {
            switch character {
            case "<", "@": escaped += "\(character)\u{200B}"
            case "`": escaped += "'"
            default: escaped.append(character)
            }
        }
        return escaped.isEmpty ? " " : escaped
    }
}
