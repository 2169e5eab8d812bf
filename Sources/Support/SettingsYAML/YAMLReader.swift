// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import SettingsFiles
import Yams

/// Reads YAML to nodes that know where they stand. Bounded: no anchors and aliases, by which a short text says a long one; no tags; so
/// many nodes, so deep (libyaml itself stops at 1,000 levels, before it is known which are settings).
///
/// Plain words mean what YAML 1.2's core schema says: `true` and `false` alone are flags, `yes` and `on` are texts.
enum YAMLReader {
    /// A place in a text, and what is wrong there.
    struct Fault: Error, Hashable, Sendable {
        /// From 1.
        var line: Int
        /// From 1, in characters.
        var column: Int
        var what: String
        var remedy: String?
    }

    /// Lists and mappings in each other. Settings need three.
    static let maxDepth = 16
    /// Keys, values and items of a file.
    static let maxNodes = 20_000

    /// Reads a text.
    ///
    /// - Parameter file: for the places.
    /// - Returns: the nodes; an empty mapping for a text that has none.
    static func read(_ text: String, file: String) throws(Fault) -> SettingsNode {
        try AnchorSearch.refuse(in: text)
        let root: Node?
        do {
            root = try Parser(yaml: text, resolver: .basic, encoding: .utf8).singleRoot()
        } catch let error as YamlError {
            throw fault(error, in: text)
        } catch {
            throw Fault(line: 1, column: 1, what: "\(error)")
        }
        guard let root else { return SettingsNode(.mapping([]), at: SettingsPlace(file: file, line: 1, column: 1)) }
        var builder = NodeBuilder(file: file)
        let node = try builder.node(root, depth: 0)
        return node.isNull ? SettingsNode(.mapping([]), at: node.place) : node
    }

    private static func fault(_ error: YamlError, in text: String) -> Fault {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            if let tab = tabInIndentation(of: mark.line, in: text) {
                return Fault(line: mark.line, column: tab, what: "a tab stands in the indentation", remedy: "use spaces")
            }
            // Where a list or a text begins that isn't closed says more than where the file ends.
            let rest = lines(text).dropFirst(mark.line - 1)
            if let context, context.mark.line < mark.line, rest.allSatisfy({ $0.allSatisfy(\.isWhitespace) }) {
                return Fault(line: context.mark.line, column: context.mark.column, what: "\(context.text), \(problem)")
            }
            return Fault(line: mark.line, column: mark.column, what: problem)
        case .duplicatedKeysInMapping(let duplicates, let context):
            let first = context.mark
            let place = secondPlace(of: duplicates.first ?? "", after: first, in: text)
            return Fault(
                line: place.line, column: place.column,
                what: "the key '\((duplicates.first ?? "").prefix(80))' stands twice: in line \(first.line), too",
                remedy: "leave one of them out")
        case .reader(let problem, let offset, _, _):
            let before = text.prefix(offset ?? 0)
            let line = before.split(separator: "\n", omittingEmptySubsequences: false).last?.unicodeScalars.count ?? 0
            return Fault(line: 1 + before.count { $0 == "\n" }, column: line + 1, what: problem)
        default: return Fault(line: 1, column: 1, what: "\(error)")
        }
    }

    private static func lines(_ text: String) -> [Substring] {
        text.split(separator: /\r\n|\n|\r/, omittingEmptySubsequences: false)
    }

    /// The column of a tab before a line's text.
    private static func tabInIndentation(of line: Int, in text: String) -> Int? {
        let lines = lines(text)
        guard lines.indices.contains(line - 1) else { return nil }
        let indentation = lines[line - 1].prefix { $0 == " " || $0 == "\t" }
        return indentation.firstIndex(of: "\t").map { indentation.distance(from: indentation.startIndex, to: $0) + 1 }
    }

    /// Where a key stands again: the parser tells where it stood first.
    private static func secondPlace(of key: String, after first: Mark, in text: String) -> (line: Int, column: Int) {
        for (index, line) in lines(text).enumerated().dropFirst(first.line) {
            let indentation = line.prefix { $0 == " " }.count
            let name = line.dropFirst(indentation).prefix { $0 != ":" }.filter { $0 != "\"" && $0 != "'" && $0 != " " }
            if indentation == first.column - 1, name == key { return (index + 1, first.column) }
        }
        return (first.line, first.column)
    }
}

/// Makes nodes of what the parser found.
private struct NodeBuilder {
    let file: String
    var count = 0

    mutating func node(_ node: Node, depth: Int) throws(YAMLReader.Fault) -> SettingsNode {
        let mark = (line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
        func fault(_ what: String, _ remedy: String? = nil) -> YAMLReader.Fault {
            YAMLReader.Fault(line: mark.line, column: mark.column, what: what, remedy: remedy)
        }
        count += 1
        guard count <= YAMLReader.maxNodes else { throw fault("there are more than \(YAMLReader.maxNodes) keys and values") }
        guard depth <= YAMLReader.maxDepth else {
            throw fault("there are more than \(YAMLReader.maxDepth) lists and mappings in each other")
        }
        let place = SettingsPlace(file: file, line: mark.line, column: mark.column)
        switch node {
        case .scalar(let scalar): return SettingsNode(Self.content(of: scalar), at: place)
        case .sequence(let sequence):
            var items: [SettingsNode] = []
            for item in sequence { items.append(try self.node(item, depth: depth + 1)) }
            return SettingsNode(.list(items), at: place)
        case .mapping(let mapping):
            var entries: [SettingsNode.Entry] = []
            var known: Set<String> = []
            for (key, value) in mapping {
                guard case .scalar(let name) = key else { throw fault("a key is no word", "write keys as plain words") }
                let at = (line: name.mark?.line ?? mark.line, column: name.mark?.column ?? mark.column)
                guard known.insert(name.string).inserted else {
                    throw YAMLReader.Fault(line: at.line, column: at.column, what: "the key '\(name.string.prefix(80))' stands twice")
                }
                let place = SettingsPlace(file: file, line: at.line, column: at.column)
                entries.append(SettingsNode.Entry(key: name.string, place: place, value: try self.node(value, depth: depth + 1)))
            }
            return SettingsNode(.mapping(entries), at: place)
        case .alias: throw fault("there is an alias", AnchorSearch.remedy)
        }
    }

    /// By the core schema of YAML 1.2 (section 10.3.2 of the specification), without numbers that aren't finite.
    private static func content(of scalar: Node.Scalar) -> SettingsNode.Content {
        let text = scalar.string
        guard scalar.style == .plain else { return .text(text) }
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .flag(true)
        case "false", "False", "FALSE": return .flag(false)
        default: break
        }
        if isNumber(text) { return .number(text) }
        for (prefix, radix) in [("0x", 16), ("0o", 8)] where text.hasPrefix(prefix) {
            let digits = text.dropFirst(2)
            if digits.first != "-", digits.first != "+", let number = Int(digits, radix: radix) { return .number("\(number)") }
        }
        return .text(text)
    }

    /// `[-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`
    private static func isNumber(_ text: String) -> Bool {
        var rest = text.utf8[...]
        func take(_ isWanted: (UInt8) -> Bool) -> Int {
            let begin = rest
            rest = rest.drop(while: isWanted)
            return begin.count - rest.count
        }
        func takeOne(_ bytes: String) -> Bool {
            guard let first = rest.first, bytes.utf8.contains(first) else { return false }
            rest = rest.dropFirst()
            return true
        }
        let isDigit = { (byte: UInt8) in UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }
        _ = takeOne("+-")
        let whole = take(isDigit)
        let part = takeOne(".") ? take(isDigit) : 0
        guard whole + part > 0 else { return false }
        if takeOne("eE") {
            _ = takeOne("+-")
            guard take(isDigit) > 0 else { return false }
        }
        return rest.isEmpty
    }
}
