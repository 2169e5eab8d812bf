// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
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
    public static var ofOtherAlphabets: [(coding: String, bytes: [UInt8])] {
        singleBytes.map { ($0.coding, Hex.decode($0.digits) ?? []) } + unicode
    }

    /// In hexadecimal digits: Foundation doesn't write all of these on every system.
    private static let singleBytes: [(coding: String, digits: String)] = [
        // Größe über alles, schöne Grüße für Müller
        ("ISO 8859-1", "4772f6df6520fc62657220616c6c65732c20736368f66e65204772fcdf652066fc72204dfc6c6c6572"),
        // Příliš žluťoučký kůň úpěl ódy
        ("ISO 8859-2", "50f8ed6c69b920be6c75bb6f75e86bfd206bf9f220fa70ec6c20f36479"),
        // Привет, как дела сегодня у вас
        ("Windows-1251", "cff0e8e2e5f22c20eae0ea20e4e5ebe020f1e5e3eee4edff20f320e2e0f1"),
        // Привет, как дела сегодня у вас
        ("KOI8-R", "f0d2c9d7c5d42c20cbc1cb20c4c5ccc120d3c5c7cfc4ced120d520d7c1d3"),
        // Καλημέρα κόσμε, τι κάνετε
        ("Windows-1253", "cae1ebe7ecddf1e120eafcf3ece52c20f4e920eadcede5f4e5"),
        // 日本語の文章です日本語の文章です
        // PLEASE ENTER YOUR USER NAME, then press enter
        ("EBCDIC", "d7d3c5c1e2c540c5d5e3c5d940e8d6e4d940e4e2c5d940d5c1d4c56b40a388859540979985a2a2408595a38599"),
        ("EUC-JP", "c6fccbdcb8eca4cecab8becfa4c7a4b9c6fccbdcb8eca4cecab8becfa4c7a4b9"),
    ]

    private static var unicode: [(coding: String, bytes: [UInt8])] {
        let little: [UInt8] = "Привет, как дела".utf16.flatMap { [UInt8($0 & 0xff), UInt8($0 >> 8)] }
        let big: [UInt8] = "Καλημέρα, τι κάνετε".utf16.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xff)] }
        let texts = ["😀😁😂🤣😃😄😅😆", "Привет, как дела", "日本語の文章です", "สวัสดีครับ ยินดีต้อนรับ", "नमस्ते दुनिया"]
        return [("UTF-16LE", little), ("UTF-16BE", big)] + texts.map { ("UTF-8", Array($0.utf8)) }
    }

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
