// SPDX-License-Identifier: Apache-2.0

import GoodwareReading

/// Finds where a program of Windows ends (Microsoft, "PE Format"): installers have an archive behind it.
enum WindowsProgram {
    static func begins(_ head: [UInt8]) -> Bool { head.starts(with: Array("MZ".utf8)) }

    /// In bytes: the end of what a program's headers name; 0 for contradictory headers, or another kind of program.
    static func end(size: UInt64, read: (_ offset: UInt64, _ count: Int) -> [UInt8]?) -> UInt64 {
        func number(_ bytes: [UInt8], _ place: Int, _ count: Int) -> UInt64 {
            bytes[place..<place + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        guard let start = read(60, 4).map({ number($0, 0, 4) }), let header = read(start, 24), header.starts(with: Array("PE\0\0".utf8))
        else { return 0 }
        let (sections, optional) = (Int(number(header, 6, 2)), number(header, 20, 2))
        guard let table = read(start + 24 + optional, sections * 40) else { return 0 }
        var end: UInt64 = 0
        for section in 0..<sections {
            let (length, place) = (number(table, section * 40 + 16, 4), number(table, section * 40 + 20, 4))
            if length > 0 { end = max(end, place + length) }
        }
        return end <= size ? end : 0
    }
}
