// SPDX-License-Identifier: Apache-2.0

public import BehaviourBlocking
import EpitopeModel
import Foundation

/// Adds exclusions to the text of a policy file, all of whose other text stays as its owner wrote it.
public enum PolicyText {
    /// - Parameter text: a valid policy file; `nil`: a new one is made.
    /// - Returns: the new text; `nil` where the text is in a form to which nothing can be added by this.
    public static func adding(_ exclusions: [Exclusion], to text: String?) -> String? {
        let entries = exclusions.map(entry).joined(separator: ",\n    ")
        let bytes = Array((text ?? "{}").utf8)
        let places = Scan(bytes)
        let added: [UInt8]?
        if let list = places.list {
            added = insert("\n    \(entries)", before: list, in: bytes, closing: "\n  ")
        } else if let end = places.end {
            added = insert("\n  \"exclusions\": [\n    \(entries)\n  ]", before: end, in: bytes, closing: "\n")
        } else {
            added = nil
        }
        return added.map { String(decoding: $0, as: UTF8.self) + (text == nil ? "\n" : "") }
    }

    /// An exclusion as one line of a policy file.
    public static func entry(_ exclusion: Exclusion) -> String {
        var pairs: [(String, String)]
        switch exclusion.subject {
        case .executable(let path, let hash): pairs = [("executable", path)] + (hash.map { [("sha256", $0)] } ?? [])
        case .library(let path, let executable): pairs = [("executable", executable), ("library", path)]
        case .package(let name): pairs = [("package", name)]
        case .unit(let name): pairs = [("unit", name)]
        case .container(let id): pairs = [("container", id)]
        case .user(let name): pairs = [("user", name)]
        }
        pairs += [("evidence", exclusion.matter), ("reason", exclusion.reason)]
        if let until = exclusion.until { pairs.append(("until", until.description)) }
        return "{ " + pairs.map { "\(quoted($0.0)): \(quoted($0.1))" }.joined(separator: ", ") + " }"
    }

    private static func quoted(_ text: String) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        // A string can always be encoded.
        return (try? encoder.encode(text)).map { String(decoding: $0, as: UTF8.self) } ?? "\"\""
    }

    /// Inserts an element before the bracket that closes a list or an object, behind the element that stands there.
    private static func insert(_ element: String, before bracket: Int, in bytes: [UInt8], closing: String) -> [UInt8] {
        var last = bracket - 1
        while last >= 0, Scan.isSpace(bytes[last]) { last -= 1 }
        let opens = last < 0 || bytes[last] == UInt8(ascii: "[") || bytes[last] == UInt8(ascii: "{")
        let separator = opens || bytes[last] == UInt8(ascii: ",") ? "" : ","
        let between = opens || last + 1 == bracket ? Array(closing.utf8) : Array(bytes[(last + 1)..<bracket])
        return bytes[...max(last, 0)] + Array("\(separator)\(element)".utf8) + between + bytes[bracket...]
    }

    /// The places of a JSON object where something can be added: the bracket that ends the list `exclusions`, and the one that
    /// ends the object.
    private struct Scan {
        var list: Int?
        var end: Int?

        init(_ bytes: [UInt8]) {
            var depth = 0
            var index = 0
            var lastText: ArraySlice<UInt8> = []
            var key: ArraySlice<UInt8> = []
            var isInList = false
            while index < bytes.count {
                switch bytes[index] {
                case UInt8(ascii: "\""):
                    let start = index + 1
                    index = start
                    while index < bytes.count, bytes[index] != UInt8(ascii: "\"") { index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1 }
                    lastText = bytes[start..<min(index, bytes.count)]
                case UInt8(ascii: ":") where depth == 1: key = lastText
                case UInt8(ascii: "["), UInt8(ascii: "{"):
                    depth += 1
                    if depth == 2, bytes[index] == UInt8(ascii: "["), key.elementsEqual("exclusions".utf8) { isInList = true }
                case UInt8(ascii: "]"), UInt8(ascii: "}"):
                    if depth == 2, isInList {
                        list = index
                        isInList = false
                    }
                    if depth == 1 { end = index }
                    depth -= 1
                default: break
                }
                index += 1
            }
        }

        static func isSpace(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0A, 0x0D].contains(byte) }
    }
}
