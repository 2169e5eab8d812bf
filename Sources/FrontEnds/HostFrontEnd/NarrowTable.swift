// SPDX-License-Identifier: Apache-2.0

/// A table that is wider than a terminal.
struct NarrowTable {
    /// The first is the heading.
    let rows: [[String]]
    let widths: [Int]
    /// Of a line, in characters.
    let width: Int

    /// Less room makes a column of single words.
    private static let leastLast = 30
    private static let indentation = "    "

    var text: String {
        let last = widths.count - 1
        let before = widths.dropLast().reduce(0) { $0 + $1 + 2 }
        if width - before >= Self.leastLast {
            return rows.map { row in
                guard row.count > last else { return aligned(row) }
                let lines = Self.wrapped(row[last], width - before)
                let first = aligned(Array(row.dropLast()) + [lines.first ?? ""])
                return ([first] + lines.dropFirst().map { String(repeating: " ", count: before) + $0 }).joined(separator: "\n")
            }.joined(separator: "\n")
        }
        return stacked
    }

    /// As many columns as fit, and the others below them.
    private var stacked: String {
        var fitting = 0, used = 0
        while fitting < widths.count, fitting == 0 || used + 2 + widths[fitting] <= width {
            used += (fitting == 0 ? 0 : 2) + widths[fitting]
            fitting += 1
        }
        let heading = rows.first ?? []
        let isSingle = widths.count - fitting == 1
        return rows.enumerated().map { number, row in
            var lines = [aligned(Array(row.prefix(fitting)))]
            guard number > 0 else {
                let below = heading.dropFirst(fitting).joined(separator: ", ")
                return (lines + (below.isEmpty ? [] : [Self.indentation + below])).joined(separator: "\n")
            }
            for (column, cell) in row.enumerated().dropFirst(fitting) where !cell.isEmpty {
                let text = isSingle || column >= heading.count ? cell : "\(heading[column]): \(cell)"
                lines += Self.wrapped(text, width - Self.indentation.count).map { Self.indentation + $0 }
            }
            return lines.joined(separator: "\n")
        }.joined(separator: "\n")
    }

    private func aligned(_ row: [String]) -> String {
        row.enumerated().map { column, cell in
            column == row.count - 1 ? cell : cell + String(repeating: " ", count: max(0, widths[column] - cell.count) + 2)
        }.joined()
    }

    /// A text in lines. A word that is longer than one, such as a path, stays whole.
    static func wrapped(_ text: String, _ width: Int) -> [String] {
        var lines: [String] = []
        var line = ""
        for word in text.split(separator: " ", omittingEmptySubsequences: false) {
            if line.isEmpty || line.count + 1 + word.count <= width {
                line += (line.isEmpty ? "" : " ") + word
            } else {
                lines.append(line)
                line = String(word)
            }
        }
        return lines + [line]
    }
}
