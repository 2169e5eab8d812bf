// SPDX-License-Identifier: Apache-2.0

/// A statement as SQLite reads it, made one that PostgreSQL does.
enum Placeholders {
    /// Arguments `?` and `?1` become `$1`, and `CROSS JOIN`, by which SQLite is told the order of tables, `JOIN`. What stands between
    /// quotes stays.
    static func numbered(_ sql: String) -> String {
        var result: [UInt8] = []
        var (last, isQuoted) = (0, false)
        var rest = Array(sql.replacing("CROSS JOIN", with: "JOIN").utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "'") { isQuoted.toggle() }
            guard byte == UInt8(ascii: "?"), !isQuoted else {
                result.append(byte)
                continue
            }
            let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            rest.removeFirst(digits.count)
            let number = Int(String(decoding: digits, as: UTF8.self)) ?? last + 1
            last = max(last, number)
            result += "$\(number)".utf8
        }
        return String(decoding: result, as: UTF8.self)
    }
}
