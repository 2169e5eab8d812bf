// SPDX-License-Identifier: Apache-2.0

/// Text as mainframes have it (EBCDIC, code pages 37 and 500), in the protocols of their terminals and databases.
enum EBCDICText {
    /// In characters. Of these, four in five are letters, digits and spaces, and some are unlike. Not one in 10,000 windows of 32
    /// bytes of Debian's programs holds half a window of them.
    private static let minCharacters = 8
    private static let minUnlike = 4

    static func runs(in bytes: [UInt8]) -> [Range<Int>] {
        var runs: [Range<Int>] = []
        var (start, words) = (0, 0)
        for position in 0...bytes.count {
            if position < bytes.count, isInWords(bytes[position]) || isPunctuation(bytes[position]) {
                words += isInWords(bytes[position]) ? 1 : 0
                continue
            }
            let run = start..<position
            if run.count >= minCharacters, 5 * words >= 4 * run.count, Set(bytes[run]).count >= minUnlike { runs.append(run) }
            (start, words) = (position + 1, 0)
        }
        return runs
    }

    private static func isInWords(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x40, 0x81...0x89, 0x91...0x99, 0xa2...0xa9, 0xc1...0xc9, 0xd1...0xd9, 0xe2...0xe9, 0xf0...0xf9: true
        default: false
        }
    }

    private static func isPunctuation(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x4b...0x4e, 0x50, 0x5b...0x5e, 0x60, 0x61, 0x6b, 0x6d...0x6f, 0x7a...0x7f: true
        default: false
        }
    }
}
