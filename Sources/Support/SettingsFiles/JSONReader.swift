// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// Reads JSON to nodes that know where they stand: `JSONDecoder` does not say where a text stops being JSON, nor where a value is.
///
/// It keeps a stack of its own, so that no text, however deep, takes more of the thread's.
struct JSONReader {
    /// A place in a text, and what is wrong there.
    struct Fault: Error, Hashable, Sendable, CustomStringConvertible {
        /// From 1.
        var line: Int
        /// From 1, in characters.
        var column: Int
        var what: String

        var description: String { "line \(line), column \(column): \(what)" }
    }

    /// Lists and objects in each other.
    static let maxDepth = 64

    /// A list or an object whose end has not come.
    private struct Open {
        var isObject: Bool
        var place: SettingsPlace
        var items: [SettingsNode] = []
        var entries: [SettingsNode.Entry] = []
        var known: Set<String> = []
        /// The key whose value comes next.
        var key: (name: String, place: SettingsPlace)?
    }

    /// What may come next.
    private enum Expected { case value, valueOrEnd, keyOrEnd, colon, commaOrEnd, nothing }

    private let bytes: [UInt8]
    private let file: String
    private var index = 0
    private var open: [Open] = []
    private var expected = Expected.value
    private var root: SettingsNode?
    /// How far lines and columns were counted.
    private var counted = (index: 0, line: 1, column: 1)

    /// Reads a text. A comma behind the last element is taken.
    ///
    /// - Parameter file: for the places.
    static func read(_ text: [UInt8], file: String) throws(Fault) -> SettingsNode {
        var reader = JSONReader(bytes: text, file: file)
        try reader.run()
        guard let root = reader.root else { throw reader.fault("the text is empty") }
        return root
    }

    private init(bytes: [UInt8], file: String) {
        self.bytes = bytes
        self.file = file
        // Some editors begin a file with a byte order mark.
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
    }

    private mutating func place(_ index: Int) -> SettingsPlace {
        // Only a fault lies before what was counted.
        if index < counted.index { counted = (0, 1, 1) }
        while counted.index < min(index, bytes.count) {
            let byte = bytes[counted.index]
            counted.index += 1
            if byte == UInt8(ascii: "\n") {
                counted.line += 1
                counted.column = 1
            } else if byte & 0xC0 != 0x80 {
                counted.column += 1
            }
        }
        return SettingsPlace(file: file, line: counted.line, column: counted.column)
    }

    private mutating func fault(_ what: String) -> Fault {
        let place = place(index)
        return Fault(line: place.line, column: place.column, what: what)
    }

    private mutating func run() throws(Fault) {
        while true {
            while index < bytes.count, Self.isBlank(bytes[index]) { index += 1 }
            guard index < bytes.count else { break }
            try token(bytes[index])
        }
        if let last = open.last { throw fault("the text ends before the \(last.isObject ? "object" : "list") does") }
    }

    private mutating func token(_ byte: UInt8) throws(Fault) {
        switch (byte, expected) {
        case (UInt8(ascii: "{"), .value), (UInt8(ascii: "{"), .valueOrEnd): try begin(isObject: true, .keyOrEnd)
        case (UInt8(ascii: "["), .value), (UInt8(ascii: "["), .valueOrEnd): try begin(isObject: false, .valueOrEnd)
        case (UInt8(ascii: "}"), .keyOrEnd), (UInt8(ascii: "}"), .commaOrEnd): try end(isObject: true)
        case (UInt8(ascii: "]"), .valueOrEnd), (UInt8(ascii: "]"), .commaOrEnd): try end(isObject: false)
        case (UInt8(ascii: ":"), .colon): advance(to: .value)
        case (UInt8(ascii: ","), .commaOrEnd): advance(to: isInObject ? .keyOrEnd : .valueOrEnd)
        case (UInt8(ascii: "\""), .keyOrEnd): try key()
        case (UInt8(ascii: "\""), .value), (UInt8(ascii: "\""), .valueOrEnd):
            let place = place(index)
            add(SettingsNode(.text(try string()), at: place))
        case (_, .value), (_, .valueOrEnd): try word()
        default: throw fault(wanted)
        }
    }

    private var isInObject: Bool { open.last?.isObject == true }

    private mutating func advance(to next: Expected) {
        index += 1
        expected = next
    }

    private mutating func begin(isObject: Bool, _ next: Expected) throws(Fault) {
        guard open.count < Self.maxDepth else { throw fault("there are more than \(Self.maxDepth) lists and objects in each other") }
        open.append(Open(isObject: isObject, place: place(index)))
        advance(to: next)
    }

    private mutating func end(isObject: Bool) throws(Fault) {
        guard isInObject == isObject, let last = open.popLast() else { throw fault(wanted) }
        index += 1
        add(SettingsNode(isObject ? .mapping(last.entries) : .list(last.items), at: last.place))
    }

    /// Puts a value where it belongs.
    private mutating func add(_ value: SettingsNode) {
        expected = open.isEmpty ? .nothing : .commaOrEnd
        guard !open.isEmpty else { return root = value }
        let last = open.count - 1
        guard let key = open[last].key else { return open[last].items.append(value) }
        open[last].entries.append(SettingsNode.Entry(key: key.name, place: key.place, value: value))
        open[last].key = nil
    }

    private mutating func key() throws(Fault) {
        let start = index
        let place = place(index)
        let name = try string()
        guard open[open.count - 1].known.insert(name).inserted else {
            index = start
            throw fault("the key '\(name)' stands twice in its object")
        }
        open[open.count - 1].key = (name, place)
        expected = .colon
    }

    private mutating func string() throws(Fault) -> String {
        let start = index
        index += 1
        var isEscaped = false
        while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
            if bytes[index] < 0x20 {
                index = bytes[index] == 0x0A ? start : index
                throw fault("a string isn't closed in its line, or holds a control character")
            }
            if bytes[index] == UInt8(ascii: "\\") { isEscaped = true }
            index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        guard index < bytes.count else {
            index = start
            throw fault("a string isn't closed")
        }
        index += 1
        guard isEscaped else { return String(decoding: bytes[(start + 1)..<(index - 1)], as: UTF8.self) }
        guard let text = try? JSONDecoder().decode(String.self, from: Data(bytes[start..<index])) else {
            index = start
            throw fault("a string has a backslash before what none may stand before")
        }
        return text
    }

    /// A number, or one of the three words.
    private mutating func word() throws(Fault) {
        let start = index
        let place = place(index)
        while index < bytes.count, Self.isOfWord(bytes[index]) { index += 1 }
        let word = String(decoding: bytes[start..<index], as: UTF8.self)
        let isNumber = word.wholeMatch(of: /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/) != nil
        guard isNumber || ["true", "false", "null"].contains(word) else {
            index = start
            throw fault(word.isEmpty ? wanted : "'\(word)' is no value: text stands in double quotes")
        }
        add(SettingsNode(isNumber ? .number(word) : word == "null" ? .null : .flag(word == "true"), at: place))
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 }

    private static func isOfWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"): true
        default: false
        }
    }

    private var wanted: String {
        let inside = isInObject ? "}" : "]"
        return switch expected {
        case .value: "a value is missing"
        case .valueOrEnd: "a value or \(inside) is missing"
        case .keyOrEnd: "a key in double quotes or } is missing"
        case .colon: "a colon is missing behind the key"
        case .commaOrEnd: "a comma or \(inside) is missing"
        case .nothing: "there is text behind the end"
        }
    }
}
