// SPDX-License-Identifier: Apache-2.0

import Foundation

/// Prints the results of experiments: tables, remarks, and the line for scripts. Not buffered, so that the progress of long
/// experiments is visible through a pipe.
package enum Report {
    package static func line(_ text: String) {
        FileHandle.standardOutput.write(Data((text + "\n").utf8))
    }

    /// Prints a progress message.
    package static func progress(_ text: String) {
        FileHandle.standardError.write(Data("  ... \(text)\n".utf8))
    }

    /// Prints a table under its title, with numbers aligned to the right.
    package static func table(_ title: String, _ header: [String], _ rows: [[String]]) {
        let all = [header] + rows
        let widths = header.indices.map { column in all.map { column < $0.count ? $0[column].count : 0 }.max() ?? 0 }
        func row(_ cells: [String]) -> String {
            cells.enumerated().map { index, cell in
                let fill = String(repeating: " ", count: widths[index] - cell.count)
                let isNumber = cell.utf8.allSatisfy { (0x30...0x39).contains($0) || "./-<".utf8.contains($0) }
                return isNumber && index > 0 ? fill + cell : cell + fill
            }.joined(separator: "  ")
        }
        line("\n\(title)\n")
        line("  " + row(header))
        line("  " + widths.map { String(repeating: "-", count: $0) }.joined(separator: "  "))
        for cells in rows { line("  " + row(cells)) }
    }

    package static func remark(_ text: String) {
        line("\n  \(text)")
    }

    /// Prints the line that `Bench/Signatures/bench-signatures` collects.
    package static func keys(_ keys: [(name: String, value: String)]) {
        line("\nKEY " + keys.map { "\($0.name)=\($0.value)" }.joined(separator: " "))
    }

    /// A share in percent, with enough digits to distinguish one stream of many thousands from none.
    package static func percent(_ part: Int, of whole: Int) -> String {
        whole == 0 ? "-" : decimal(100 * Double(part) / Double(whole), digits: part == 0 || part == whole ? 0 : 3)
    }

    package static func decimal(_ value: Double, digits: Int) -> String {
        guard value.isFinite else { return "-" }
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = (value.magnitude * scale).rounded()
        let whole = Int64(scaled / scale)
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard digits > 0 else { return "\(sign)\(whole)" }
        let fraction = String(Int64(scaled) - whole * Int64(scale))
        return "\(sign)\(whole)." + String(repeating: "0", count: digits - fraction.count) + fraction
    }
}

extension Duration {
    package var milliseconds: Double {
        Double(components.seconds) * 1e3 + Double(components.attoseconds) / 1e15
    }
}
