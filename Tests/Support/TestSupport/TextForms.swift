// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A text in the usual codings.
public enum TextForms {
    public static func all(of text: String) -> [[UInt8]] {
        let ascii = Array(text.utf8)
        func each(_ coding: (UInt8) -> String) -> [UInt8] { Array(ascii.map(coding).joined().utf8) }
        func digits(_ byte: UInt8, _ radix: Int, _ count: Int) -> String {
            let digits = String(byte, radix: radix)
            return String(repeating: "0", count: max(0, count - digits.count)) + digits
        }
        let escaped = text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        let json = "{\"text\": \"" + text.replacingOccurrences(of: "\r\n", with: "\\r\\n") + "\"}"
        return [
            ascii, Array(Data(ascii).base64EncodedData()), base32(ascii), uuencoded(ascii), Array(escaped.utf8), Array(json.utf8),
            // Hexadecimal, quoted-printable, JSON, JavaScript, C, HTML, UTF-7.
            each { digits($0, 16, 2) }, each { "=" + digits($0, 16, 2).uppercased() }, each { "\\u00" + digits($0, 16, 2) },
            each { "\\x" + digits($0, 16, 2) }, each { "\\" + digits($0, 8, 3) }, each { "&#\($0);" },
            Array("+".utf8) + Data(ascii.flatMap { [0, $0] }).base64EncodedData() + Array("-".utf8),
            ascii.flatMap { [$0, 0] }, ascii.flatMap { [0, $0] }, ascii.flatMap { [$0, 0, 0, 0] }, ascii.flatMap { [0, 0, 0, $0] },
        ]
    }

    /// Texts of other alphabets in their usual codings.
    public static let ofOtherAlphabets: [(coding: String, bytes: [UInt8])] = [
        ("ISO 8859-1", "Größe über alles, schöne Grüße für Müller", .isoLatin1),
        ("ISO 8859-2", "Příliš žluťoučký kůň úpěl ódy", .isoLatin2),
        ("Windows-1251", "Привет, как дела сегодня у вас", .windowsCP1251), ("Windows-1253", "Καλημέρα κόσμε, τι κάνετε", .windowsCP1253),
        ("EUC-JP", "日本語の文章です日本語の文章です", .japaneseEUC), ("UTF-16LE", "Привет, как дела", .utf16LittleEndian),
        ("UTF-16BE", "Καλημέρα, τι κάνετε", .utf16BigEndian), ("UTF-8", "😀😁😂🤣😃😄😅😆", .utf8), ("UTF-8", "Привет, как дела", .utf8),
        ("UTF-8", "日本語の文章です", .utf8),
    ].map { coding, text, encoding in (coding, Array(text.data(using: encoding) ?? Data())) }

    /// RFC 4648, section 6.
    private static func base32(_ bytes: [UInt8]) -> [UInt8] {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)
        let bits = bytes.flatMap { byte in (0..<8).map { byte >> (7 - $0) & 1 } }
        return stride(from: 0, to: bits.count, by: 5).map { start in
            alphabet[(start..<start + 5).reduce(0) { $0 << 1 | ($1 < bits.count ? Int(bits[$1]) : 0) }]
        }
    }

    /// Lines of 45 bytes, each behind its length (uuencode(5)).
    private static func uuencoded(_ bytes: [UInt8]) -> [UInt8] {
        stride(from: 0, to: bytes.count, by: 45).flatMap { start -> [UInt8] in
            let line = Array(bytes[start..<min(bytes.count, start + 45)])
            let padded = line + [UInt8](repeating: 0, count: (3 - line.count % 3) % 3)
            let groups = stride(from: 0, to: padded.count, by: 3).flatMap { place -> [UInt8] in
                let bits = Int(padded[place]) << 16 | Int(padded[place + 1]) << 8 | Int(padded[place + 2])
                return [18, 12, 6, 0].map { UInt8(bits >> $0 & 0x3f) + 0x20 }
            }
            return [UInt8(line.count) + 0x20] + groups + [0x0a]
        }
    }
}
