// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FoundationEssentials
import Signatures

/// A notice as a mail (RFC 5322): text in UTF-8, sent as seven bits.
public enum MailMessage {
    /// The whole message, with CRLF at each line's end.
    ///
    /// - Parameters:
    ///   - from: the address of the sender, as ``isAddress(_:)`` takes it.
    ///   - to: those of the receivers.
    public static func bytes(_ notice: Notice, from sender: NoticeSender, address from: String, to: [String]) -> [UInt8] {
        let event = notice.event
        let domain = from.split(separator: "@").last.map(String.init) ?? "localhost"
        let headers = [
            "Date: \(Timestamp.mail(event.timeMilliseconds))",
            "From: Epitope <\(from)>",
            "To: \(to.joined(separator: ",\r\n "))",
            "Subject: \(subject("[epitope] \(notice.severity.rawValue): \(notice.headline): \(event.subject)"))",
            "Message-ID: <\(notice.id)@\(domain)>",
            "Auto-Submitted: auto-generated",
            "X-Epitope-Event: \(event.kind.rawValue)",
            "X-Epitope-Severity: \(notice.severity.rawValue)",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: quoted-printable",
        ]
        return Array((headers.joined(separator: "\r\n") + "\r\n\r\n" + quotedPrintable(text(notice, sender))).utf8)
    }

    /// Whether a text is a mail address that can stand in a header and in SMTP as it is: `local@domain` of ASCII letters, digits and
    /// `.!#$%&'*+/=?^_{|}~-`, which is what addresses of people and lists are.
    public static func isAddress(_ text: String) -> Bool {
        text.utf8.count <= 254 && text.wholeMatch(of: /[A-Za-z0-9.!#$%&'*+\/=?^_{|}~\-]+@[A-Za-z0-9](?:[A-Za-z0-9.\-]*[A-Za-z0-9])?/) != nil
    }

    private static func text(_ notice: Notice, _ sender: NoticeSender) -> [String] {
        let event = notice.event
        var lines = [notice.headline, "", "  event      \(event.kind.rawValue)", "  severity   \(notice.severity.rawValue)"]
        if let grade = event.grade { lines.append("  grade      \(grade.rawValue)") }
        for subject in notice.subjects { lines.append("  subject    \(subject)") }
        if notice.count > notice.subjects.count { lines.append("  subject    ...") }
        if let sid = event.sid { lines.append("  sid        \(sid)") }
        for host in event.hosts { lines.append("  host       \(host)") }
        for address in event.addresses { lines.append("  address    \(address)") }
        if notice.count > 1 { lines.append("  first      \(Timestamp.text(notice.firstMilliseconds))") }
        lines += [
            "  time       \(Timestamp.text(event.timeMilliseconds))", "  center     \(sender.center) on \(sender.host)",
            "  sequence   \(event.sequence)", "", event.detail, "", "id \(notice.id)",
        ]
        return lines
    }

    /// A header's text: as it is where it is plain ASCII, else as encoded words of at most 75 characters (RFC 2047), folded between them.
    private static func subject(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { (0x20...0x7E).contains($0) } && text.utf8.count <= 200 && !text.contains("=?")
        if isPlain { return text }
        // 45 bytes are 60 characters of base64; a character is not cut in two.
        var (words, word): ([String], [UInt8]) = ([], [])
        for character in text.prefix(200) {
            let bytes = Array(
                String(character).unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }.map(Character.init).map(String.init)
                    .joined().utf8)
            if word.count + bytes.count > 45, !word.isEmpty {
                words.append(encodedWord(word))
                word = []
            }
            word += bytes
        }
        if !word.isEmpty { words.append(encodedWord(word)) }
        return words.joined(separator: "\r\n ")
    }

    private static func encodedWord(_ bytes: [UInt8]) -> String { "=?utf-8?B?\(Data(bytes).base64EncodedString())?=" }

    /// RFC 2045, 6.7: lines of at most 76 characters.
    private static func quotedPrintable(_ lines: [String]) -> String {
        lines.map { line in
            var (encoded, length) = ("", 0)
            let bytes = Array(line.utf8)
            for (index, byte) in bytes.enumerated() {
                let isLast = index == bytes.count - 1
                let isPlain = (0x21...0x7E).contains(byte) && byte != UInt8(ascii: "=") || byte == 0x20 && !isLast
                let piece = isPlain ? String(UnicodeScalar(byte)) : "=" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
                if length + piece.count > 75 {
                    encoded += "=\r\n"
                    length = 0
                }
                encoded += piece
                length += piece.count
            }
            return encoded + "\r\n"
        }.joined()
    }
}
