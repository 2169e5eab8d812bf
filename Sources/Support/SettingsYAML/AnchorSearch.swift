// SPDX-License-Identifier: Apache-2.0

/// Finds anchors, aliases and tags before the text is parsed: the parser would follow them. A `&`, a `*` or a `!` is one only where a value
/// may begin, and before a letter, a digit, a line or another `!`; what looks like one in a text, or behind a value in a comment, is refused, too.
enum AnchorSearch {
    static let remedy = "write the value out; a text that begins so, or has such a word in it, stands in quotes, and begins with its quote"

    static func refuse(in text: String) throws(YAMLReader.Fault) {
        var (line, column) = (1, 1)
        // What the line begins with, but for blanks; a comment has no anchors.
        var isComment = false, isBlank = true
        var previous: UInt8 = 0x0A
        let bytes = Array(text.utf8)
        for (index, byte) in bytes.enumerated() {
            if byte == 0x0A || (byte == 0x0D && (index + 1 == bytes.count || bytes[index + 1] != 0x0A)) {
                (line, column, isComment, isBlank, previous) = (line + 1, 1, false, true, byte)
                continue
            }
            if isBlank, byte == UInt8(ascii: "#") { isComment = true }
            if !isComment, isMark(byte), mayBegin(after: previous), index + 1 < bytes.count, isOfName(bytes[index + 1], after: byte) {
                let what = byte == UInt8(ascii: "!") ? "a tag" : byte == UInt8(ascii: "&") ? "an anchor" : "an alias"
                throw YAMLReader.Fault(line: line, column: column, what: "there is \(what), which settings don't have", remedy: remedy)
            }
            if byte != 0x20, byte != 0x09 { isBlank = false }
            if byte & 0xC0 != 0x80 { column += 1 }
            previous = byte
        }
    }

    private static func isMark(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "&") || byte == UInt8(ascii: "*") || byte == UInt8(ascii: "!")
    }

    /// Blanks, the ends of lines, and what separates values.
    private static func mayBegin(after byte: UInt8) -> Bool {
        switch byte {
        case 0x20, 0x09, 0x0A, 0x0D, UInt8(ascii: "["), UInt8(ascii: "{"), UInt8(ascii: ","), UInt8(ascii: ":"), UInt8(ascii: "?"),
            UInt8(ascii: "-"), 0xBF, 0x85, 0xA8, 0xA9:
            // The last four end a byte order mark, and the line ends of YAML 1.1 beyond ASCII.
            true
        default: false
        }
    }

    private static func isOfName(_ byte: UInt8, after mark: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"), UInt8(ascii: "-"): true
        case UInt8(ascii: "!"), UInt8(ascii: "<"), 0x20: mark == UInt8(ascii: "!")
        default: false
        }
    }
}
