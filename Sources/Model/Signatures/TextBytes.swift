// SPDX-License-Identifier: Apache-2.0

/// Recognises text: protocols, documents and people's data are full of it, so that no signature is made of it.
///
/// The usual codings are covered: ASCII and what is written in it (base64, hexadecimal, URL encoding, quoted-printable, header
/// lines, JSON), UTF-8, UTF-16 and UTF-32 of either byte order, and strings behind a length or an end mark of one byte, as
/// the names in DNS, TLS and SMB messages; ISO 8859, Windows' and KOI8's letters, and the ideographs of EUC; EBCDIC. Not covered:
/// ideographs in UTF-16, in Shift JIS, and in the further part of GBK and Big5, which look like code, and yEnc. Machine code is taken for
/// text in 3 of 1,000 windows of 32 bytes of Debian's programs; code that consists of printable characters always is.
public enum TextBytes {
    /// In characters: shorter runs of characters of one byte say nothing. Eight printable bytes in a row begin at one in 2,000
    /// places of random data, and code has runs of six.
    static let minCharacters = 8
    /// In characters of two or four bytes, whose zeros are improbable enough.
    static let minWideCharacters = 4
    /// In letters of two bytes that are not ASCII.
    static let minWideLetters = 6
    /// In letters of one byte that are not ASCII, or ideographs of two such bytes: twelve in a row begin at one in 170,000 places of
    /// random data.
    static let minHighBytes = 12
    /// How many of these are unlike: fewer are fill, or a table, and not words.
    static let minHighLetters = 4
    /// No word has a letter so often in a row; fill has.
    static let maxRepeats = 3

    /// Whether at least half of the bytes are text.
    public static func isMostlyText(_ bytes: [UInt8]) -> Bool {
        !bytes.isEmpty && 2 * ranges(in: bytes).reduce(0) { $0 + $1.count } >= bytes.count
    }

    /// Whether the longest run of fixed bytes of one of a signature's tokens is mostly text.
    public static func isPart(of signature: Signature) -> Bool {
        signature.tokens.contains { token in
            let longest = token.fixedRuns.max { $0.count < $1.count }
            return longest.map { $0.count >= minCharacters && isMostlyText(Array(token.bytes[$0])) } ?? false
        }
    }

    /// The runs of text, ascending, without overlaps.
    public static func ranges(in bytes: [UInt8]) -> [Range<Int>] {
        var isText = [Bool](repeating: false, count: bytes.count)
        mark(narrowRuns(in: bytes), in: &isText)
        mark(highRuns(in: bytes), in: &isText)
        mark(EBCDICText.runs(in: bytes), in: &isText)
        for isBigEndian in [false, true] {
            for phase in 0..<2 { mark(letterRuns(in: bytes, from: phase, isBigEndian: isBigEndian), in: &isText) }
        }
        for width in [2, 4] {
            for phase in 0..<width {
                for isBigEndian in [false, true] {
                    mark(wideRuns(in: bytes, from: phase, width: width, isBigEndian: isBigEndian), in: &isText)
                }
            }
        }
        var ranges: [Range<Int>] = []
        for position in isText.indices where isText[position] {
            if let last = ranges.last, last.upperBound == position {
                ranges[ranges.count - 1] = last.lowerBound..<position + 1
            } else {
                ranges.append(position..<position + 1)
            }
        }
        return ranges
    }

    private static func mark(_ runs: [Range<Int>], in isText: inout [Bool]) {
        for run in runs { for position in run { isText[position] = true } }
    }

    private static func isPrintable(_ byte: UInt8) -> Bool { (0x20..<0x7f).contains(byte) || byte == 9 || byte == 10 || byte == 13 }
    /// What the letters of a language stand between: those of ASCII, spaces, commas, periods, hyphens.
    private static func isInWords(_ byte: UInt8) -> Bool {
        (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte) || byte == 0x20 || (0x2c...0x2e).contains(byte)
    }
    /// Where ISO 8859, Windows' code pages, KOI8 and EUC have their letters.
    private static func isHigh(_ byte: UInt8) -> Bool { (0xa1...0xfe).contains(byte) }

    /// Characters of one byte, and of UTF-8.
    private static func narrowRuns(in bytes: [UInt8]) -> [Range<Int>] {
        var runs: [Range<Int>] = []
        var (start, characters, position) = (0, 0, 0)
        while position <= bytes.count {
            let length = position < bytes.count ? characterLength(in: bytes, at: position) : 0
            if length > 0 {
                characters += 1
            } else {
                if characters >= minCharacters { runs.append(start..<position) }
                (start, characters) = (position + 1, 0)
            }
            position += max(1, length)
        }
        return runs
    }

    /// In bytes: the length of the character at a position; 0 if none is there.
    private static func characterLength(in bytes: [UInt8], at position: Int) -> Int {
        func follows(_ distance: Int) -> Bool {
            position + distance < bytes.count && (0x80...0xbf).contains(bytes[position + distance])
        }
        func isPrintable(at place: Int) -> Bool { bytes.indices.contains(place) && Self.isPrintable(bytes[place]) }
        switch bytes[position] {
        case let byte where Self.isPrintable(byte): return 1
        // Letters of two and three bytes, from U+00C0 and U+0800 on.
        case 0xc3...0xdf where follows(1): return 2
        case 0xe0 where follows(1) && follows(2) && bytes[position + 1] >= 0xa0: return 3
        case 0xe1...0xef where follows(1) && follows(2): return 3
        case 0xf0...0xf4 where follows(1) && follows(2) && follows(3): return 4
        // A letter of one byte in words of ASCII.
        case let byte where isHigh(byte) && isInWords(around: position, of: bytes): return 1
        // A length or an end mark between two strings.
        case 0..<0x20 where [-3, -2, -1, 1, 2, 3].allSatisfy { isPrintable(at: position + $0) }: return 1
        default: return 0
        }
    }

    private static func isInWords(around position: Int, of bytes: [UInt8]) -> Bool {
        var words = 0
        for place in position - 2...position + 2 where place != position {
            let byte = bytes.indices.contains(place) ? bytes[place] : 0x20
            if isInWords(byte) { words += 1 } else if !isHigh(byte) { return false }
        }
        return words >= 2
    }

    /// Words of letters of one byte, or ideographs of two.
    private static func highRuns(in bytes: [UInt8]) -> [Range<Int>] {
        let isFill = isRepeated(bytes)
        var runs: [Range<Int>] = []
        var (start, letters) = (0, 0)
        for position in 0...bytes.count {
            let byte = position < bytes.count ? bytes[position] : 0
            if isHigh(byte), !isFill[position] {
                if letters == 0 { start = position }
                letters += 1
            } else if letters == 0 || !(isInWords(byte) && byte < 0x40 || byte == 0x0a || byte == 0x0d) {
                if letters >= minHighBytes, Set(bytes[start..<position].filter(isHigh)).count >= minHighLetters {
                    runs.append(start..<position)
                }
                letters = 0
            }
        }
        return runs
    }

    /// By position: whether the byte stands there more often in a row than a letter does.
    private static func isRepeated(_ bytes: [UInt8]) -> [Bool] {
        var isRepeated = [Bool](repeating: false, count: bytes.count)
        var start = 0
        for position in 0...bytes.count where position == bytes.count || bytes[position] != bytes[start] {
            if position - start > maxRepeats { for place in start..<position { isRepeated[place] = true } }
            start = position
        }
        return isRepeated
    }

    /// Greek, Cyrillic, Hebrew and Arabic letters with ASCII between them, in UTF-16.
    private static func letterRuns(in bytes: [UInt8], from phase: Int, isBigEndian: Bool) -> [Range<Int>] {
        var runs: [Range<Int>] = []
        var (start, characters) = (0, 0)
        for place in stride(from: phase, through: bytes.count, by: 2) {
            let isWhole = place + 2 <= bytes.count
            let (high, low) = isWhole ? (bytes[isBigEndian ? place : place + 1], bytes[isBigEndian ? place + 1 : place]) : (0xff, 0)
            if (3...6).contains(high) || high == 0 && isPrintable(low) {
                if characters == 0 { start = place }
                characters += 1
            } else {
                if characters >= minWideLetters { runs.append(start..<place) }
                characters = 0
            }
        }
        return runs
    }

    /// Printable ASCII in UTF-16 or UTF-32.
    private static func wideRuns(in bytes: [UInt8], from phase: Int, width: Int, isBigEndian: Bool) -> [Range<Int>] {
        var runs: [Range<Int>] = []
        var start: Int?
        func isCharacter(at place: Int) -> Bool {
            guard place + width <= bytes.count else { return false }
            let character = place + (isBigEndian ? width - 1 : 0)
            return isPrintable(bytes[character]) && (place..<place + width).allSatisfy { $0 == character || bytes[$0] == 0 }
        }
        for place in stride(from: phase, through: bytes.count, by: width) {
            if isCharacter(at: place) {
                start = start ?? place
            } else if let first = start {
                if place - first >= minWideCharacters * width { runs.append(first..<place) }
                start = nil
            }
        }
        return runs
    }
}
