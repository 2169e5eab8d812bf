// SPDX-License-Identifier: Apache-2.0

/// Where a text stops being JSON: `JSONDecoder` does not say.
struct JSONSyntax {
    /// A place in a text, and what is wrong there.
    struct Fault: Hashable, Sendable, CustomStringConvertible {
        /// From 1.
        var line: Int
        /// From 1, in characters.
        var column: Int
        var what: String

        var description: String { "line \(line), column \(column): \(what)" }
    }

    private enum Container { case object, list }

    /// What may come next.
    private enum Expected { case value, valueOrEnd, keyOrEnd, colon, commaOrEnd, nothing }

    private let bytes: [UInt8]
    private var index = 0
    private var containers: [Container] = []
    private var expected = Expected.value

    /// The first fault of a text; `nil` for one that is JSON. A comma behind the last element is none: the decoder takes it.
    static func fault(in text: [UInt8]) -> Fault? {
        var scan = JSONSyntax(bytes: text)
        guard let what = scan.run() else { return nil }
        let before = text[..<min(scan.index, text.count)]
        let line = before.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        return Fault(line: line.count, column: String(decoding: line.last ?? [], as: UTF8.self).count + 1, what: what)
    }

    private init(bytes: [UInt8]) { self.bytes = bytes }

    private mutating func run() -> String? {
        while true {
            while index < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[index]) { index += 1 }
            guard index < bytes.count else { return atEnd }
            if let what = token(bytes[index]) { return what }
        }
    }

    private var atEnd: String? {
        if let open = containers.last { return "the text ends before the \(open == .object ? "object" : "list") does" }
        return expected == .nothing ? nil : "the text is empty"
    }

    private mutating func token(_ byte: UInt8) -> String? {
        switch (byte, expected) {
        case (UInt8(ascii: "{"), .value), (UInt8(ascii: "{"), .valueOrEnd): open(.object, .keyOrEnd)
        case (UInt8(ascii: "["), .value), (UInt8(ascii: "["), .valueOrEnd): open(.list, .valueOrEnd)
        case (UInt8(ascii: "}"), .keyOrEnd), (UInt8(ascii: "}"), .commaOrEnd): return close(.object)
        case (UInt8(ascii: "]"), .valueOrEnd), (UInt8(ascii: "]"), .commaOrEnd): return close(.list)
        case (UInt8(ascii: ":"), .colon): advance(to: .value)
        case (UInt8(ascii: ","), .commaOrEnd): advance(to: containers.last == .object ? .keyOrEnd : .valueOrEnd)
        case (UInt8(ascii: "\""), .keyOrEnd): return string(then: .colon)
        case (UInt8(ascii: "\""), .value), (UInt8(ascii: "\""), .valueOrEnd): return string(then: afterValue)
        case (_, .value), (_, .valueOrEnd): return word()
        default: return wanted
        }
        return nil
    }

    private mutating func advance(to next: Expected) {
        index += 1
        expected = next
    }

    private mutating func open(_ container: Container, _ next: Expected) {
        containers.append(container)
        advance(to: next)
    }

    private mutating func close(_ container: Container) -> String? {
        guard containers.last == container else { return wanted }
        containers.removeLast()
        advance(to: afterValue)
        return nil
    }

    private var afterValue: Expected { containers.isEmpty ? .nothing : .commaOrEnd }

    private mutating func string(then next: Expected) -> String? {
        let start = index
        index += 1
        while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
            if bytes[index] < 0x20 {
                index = bytes[index] == 0x0A ? start : index
                return "a string isn't closed in its line, or holds a control character"
            }
            index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        guard index < bytes.count else {
            index = start
            return "a string isn't closed"
        }
        advance(to: next)
        return nil
    }

    /// A number, or one of the three words.
    private mutating func word() -> String? {
        let start = index
        while index < bytes.count, Self.isOfWord(bytes[index]) { index += 1 }
        let word = String(decoding: bytes[start..<index], as: UTF8.self)
        let isNumber = word.wholeMatch(of: /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/) != nil
        guard isNumber || ["true", "false", "null"].contains(word) else {
            index = start
            return word.isEmpty ? wanted : "'\(word)' is no value: text stands in double quotes"
        }
        expected = afterValue
        return nil
    }

    private static func isOfWord(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"): true
        default: false
        }
    }

    private var wanted: String {
        let inside = containers.last == .object ? "}" : "]"
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
