// SPDX-License-Identifier: Apache-2.0

import CenterStore
import EpitopeModel
import Foundation
import HostFrontEnd
import PacketCoding

/// A packet for a person: its JSON, a line a value, without what is empty; code as a listing, in which lines like the one before are left
/// out.
struct PacketText {
    let text: String

    /// From so many digits on, bytes are listed.
    private static let listedDigits = 65
    private static let bytesOfLine = 16

    init(_ packet: ExtractedPacket) throws {
        let value = try JSONDecoder().decode(Value.self, from: Data(packet.json(pretty: false).utf8))
        var rows: [[String]] = []
        var listings: [(name: String, bytes: [UInt8])] = []
        Self.collect(value, [], &rows, &listings)
        text =
            ([Console.table(rows)]
            + listings.map {
                "\($0.name), \($0.bytes.count) bytes, SHA-256 \(Allowed.code(of: $0.bytes).value):\n" + Self.listing($0.bytes)
            })
            .joined(separator: "\n\n")
    }

    private static func collect(
        _ value: Value, _ path: [String], _ rows: inout [[String]], _ listings: inout [(name: String, bytes: [UInt8])]
    ) {
        let name = path.joined(separator: ".")
        switch value {
        case .text(let text):
            if text.utf8.count >= listedDigits, let bytes = Hex.decode(text) {
                listings.append((name, bytes))
            } else {
                rows.append([name, text])
            }
        case .plain(let text):
            // The call's own time has a text beside it.
            let isTime = path.last?.hasSuffix("Milliseconds") == true && path.count > 1
            rows.append(isTime ? [String(name.dropLast("Milliseconds".count)), Double(text).map(Console.time) ?? text] : [name, text])
        case .list(let items):
            let plain = items.compactMap(\.simple)
            guard plain.count < items.count else {
                if !plain.isEmpty { rows.append([name, plain.joined(separator: ", ")]) }
                return
            }
            for (number, item) in items.enumerated() { collect(item, path + ["\(number + 1)"], &rows, &listings) }
        case .object(let values):
            for (key, item) in values.sorted(by: { $0.key < $1.key }) { collect(item, path + [key], &rows, &listings) }
        }
    }

    /// Offsets, bytes and what of them is text. `*` stands for lines that are like the one before.
    static func listing(_ bytes: [UInt8]) -> String {
        var lines: [String] = []
        var last: ArraySlice<UInt8>?
        for offset in stride(from: 0, to: bytes.count, by: bytesOfLine) {
            let line = bytes[offset..<min(offset + bytesOfLine, bytes.count)]
            // The last line shows how long it is.
            if let last, last.elementsEqual(line), offset + bytesOfLine < bytes.count {
                if lines.last != "  *" { lines.append("  *") }
                continue
            }
            last = line
            let digits = line.map { Hex.encode([$0]) }.joined(separator: " ")
            let text = line.map { (0x20..<0x7F).contains($0) ? String(UnicodeScalar($0)) : "." }.joined()
            let number = String(offset, radix: 16)
            lines.append(
                "  \(String(repeating: "0", count: max(0, 4 - number.count)))\(number)  "
                    + digits.padding(toLength: 3 * bytesOfLine - 1, withPad: " ", startingAt: 0) + "  \(text)")
        }
        return lines.joined(separator: "\n")
    }

    /// JSON.
    private enum Value: Decodable {
        case text(String), plain(String), list([Value]), object([String: Value])

        var simple: String? {
            switch self {
            case .text(let text), .plain(let text): text
            default: nil
            }
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let values = try? container.decode([String: Value].self) {
                self = .object(values)
            } else if let items = try? container.decode([Value].self) {
                self = .list(items)
            } else if let text = try? container.decode(String.self) {
                self = .text(text)
            } else if let flag = try? container.decode(Bool.self) {
                self = .plain("\(flag)")
            } else if let number = try? container.decode(Int64.self) {
                self = .plain("\(number)")
            } else {
                self = .plain("\(try container.decode(UInt64.self))")
            }
        }
    }
}
