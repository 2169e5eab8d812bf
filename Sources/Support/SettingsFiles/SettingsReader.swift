// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

extension SettingsGroup {
    /// Reads settings from a file's nodes, all of them, whatever is wrong with some.
    ///
    /// - Returns: the settings, with the default where a value can't be used, and what is wrong, each with its place.
    public static func read(from root: SettingsNode) -> (settings: Self, problems: [SettingsProblem]) {
        guard case .mapping = root.content else {
            guard !root.isNull else { return (Self(), []) }
            let error = EpitopeError(
                .configurationInvalid, "the settings are \(root.kind), and not keys with values",
                remedy: "correct the file; every key may be left out")
            return (Self(), [SettingsProblem(error, at: root.place)])
        }
        var problems: [SettingsProblem] = []
        let settings = SettingsReader.read(Self.self, from: root, objects: [], problems: &problems)
        return (settings, problems)
    }
}

/// Reads the settings of a group.
private struct SettingsReader: SettingsVisitor {
    let node: SettingsNode
    /// The names of the objects that the group is in.
    let objects: [String]
    /// The settings that were visited.
    var names: [String] = []
    var problems: [SettingsProblem] = []

    static func read<Group: SettingsGroup>(
        _ type: Group.Type, from node: SettingsNode, objects: [String], problems: inout [SettingsProblem]
    ) -> Group {
        var (group, reader) = (Group(), SettingsReader(node: node, objects: objects))
        do { try group.visit(&reader) } catch {
            reader.problems.append(
                SettingsProblem(
                    EpitopeError(.configurationInvalid, "\(error)", remedy: "correct the file; every key may be left out"), at: node.place))
        }
        let known = Set(reader.names)
        for entry in node.entries where !known.contains(entry.key) {
            let error = ConfigurationFile.unknownKey(entry.key, in: objects.joined(separator: "."), known: reader.names)
            reader.problems.append(SettingsProblem(error, at: entry.place))
        }
        // What follows from a value that can't be used is no fault of its own.
        if reader.problems.isEmpty {
            reader.problems = group.faults.map { fault in
                let path = fault.setting.map { $0.split(separator: ".").map(String.init) } ?? []
                return SettingsProblem(fault.error, at: node.place(of: path))
            }
        }
        problems += reader.problems
        return group
    }

    mutating func setting<Value: Encodable>(_ name: String, _ value: inout Value) throws {
        if let read = read(Value.self, name) { value = read }
    }

    mutating func setting<Value: Encodable>(_ name: String, _ value: inout Value?) throws {
        if let read = read(Value.self, name) { value = read }
    }

    mutating func setting(_ name: String, _ value: inout Int, in bounds: ClosedRange<Int>) throws {
        let remedy = "set it to \(bounds.lowerBound) to \(bounds.upperBound)"
        guard let read = read(Int.self, name, remedy) else { return }
        guard bounds.contains(read) else { return refuse(name, "is \(read)", remedy) }
        value = read
    }

    mutating func setting(_ name: String, _ value: inout Double, in bounds: ClosedRange<Double>) throws {
        let remedy = "set it to \(Self.plain(bounds.lowerBound)) to \(Self.plain(bounds.upperBound))"
        guard let read = read(Double.self, name, remedy) else { return }
        guard bounds.contains(read) else { return refuse(name, "is \(Self.plain(read))", remedy) }
        value = read
    }

    private static func plain(_ number: Double) -> String { Int(exactly: number).map(String.init) ?? "\(number)" }

    private mutating func read<Value>(_ type: Value.Type, _ name: String, _ remedy: String? = nil) -> Value? {
        names.append(name)
        guard let entry = node[name], !entry.value.isNull else { return nil }
        let value = entry.value
        let found: Any?
        switch type {
        case is Bool.Type: found = flag(value, name)
        case is Int.Type: found = number(value, name, "a whole number", remedy) { Int($0) ?? Double($0).flatMap { Int(exactly: $0) } }
        case is Double.Type: found = number(value, name, "a number", remedy) { Double($0).flatMap { $0.isFinite ? $0 : nil } }
        case is String.Type: found = text(value, name)
        case is ConfidentialText.Type: found = text(value, name).map { ConfidentialText($0) }
        case is [String].Type: found = texts(value, name)
        case let table as any AnySettingsTable.Type: found = self.table(table, value, name)
        case let group as any SettingsGroup.Type: found = self.group(group, value, name)
        case let choice as any CaseIterable.Type: found = self.choice(choice, value, name)
        default: preconditionFailure("a setting can't be of the type \(type)")
        }
        return found as? Value
    }

    private func fullName(_ name: String) -> String { (objects + [name]).joined(separator: ".") }

    private mutating func refuse(_ name: String, _ what: String, _ remedy: String, at place: SettingsPlace? = nil) {
        let error = EpitopeError(.configurationInvalid, "the setting '\(fullName(name))' \(what)", remedy: remedy)
        problems.append(SettingsProblem(error, at: place ?? node[name]?.place))
    }

    private mutating func flag(_ node: SettingsNode, _ name: String) -> Bool? {
        if case .flag(let flag) = node.content { return flag }
        refuse(name, "is \(node.kind), and not true or false", "set it to true or false, without quotes")
        return nil
    }

    private mutating func number<Number>(
        _ node: SettingsNode, _ name: String, _ noun: String, _ remedy: String?, _ read: (String) -> Number?
    ) -> Number? {
        if case .number(let text) = node.content, let number = read(text) { return number }
        refuse(name, "is \(node.kind), and not \(noun)", (remedy ?? "set it to \(noun)") + ", without quotes")
        return nil
    }

    private mutating func text(_ node: SettingsNode, _ name: String, at place: SettingsPlace? = nil) -> String? {
        if case .text(let text) = node.content { return text }
        let written =
            switch node.content {
            case .number(let number): "put it in quotes: \"\(number)\""
            case .flag(let flag): "put it in quotes: \"\(flag)\""
            default: "give one text, in quotes"
            }
        refuse(name, "is \(node.kind), and not a text", written, at: place)
        return nil
    }

    private mutating func texts(_ node: SettingsNode, _ name: String) -> [String]? {
        guard case .list(let items) = node.content else {
            refuse(name, "is \(node.kind), and not a list", "put it in brackets, also a single one: [\"/a/path\"]")
            return nil
        }
        return items.enumerated().compactMap { index, item in text(item, "\(name)[\(index)]", at: item.place) }
    }

    private mutating func group<Group: SettingsGroup>(_ type: Group.Type, _ node: SettingsNode, _ name: String) -> Group? {
        guard case .mapping = node.content else {
            refuse(name, "is \(node.kind), and not an object with keys of its own", "give its keys with their values, or leave it out")
            return nil
        }
        return Self.read(type, from: node, objects: objects + [name], problems: &problems)
    }

    /// In a table names are lower-case letters, digits and hyphens: they stand in metrics, logs and commands.
    private mutating func table<Table: AnySettingsTable>(_ type: Table.Type, _ node: SettingsNode, _ name: String) -> Table? {
        guard case .mapping(let entries) = node.content else {
            refuse(name, "is \(node.kind), and not names with settings of their own", "give each a name, and its keys below it")
            return nil
        }
        guard entries.count <= Self.maxEntries else {
            refuse(name, "has \(entries.count) entries", "keep to \(Self.maxEntries) of them")
            return nil
        }
        var found = problems
        let (objects, before) = (objects + [name], found.count)
        let table = Table.read(
            node,
            GroupReading { type, value, entry in
                guard entry.wholeMatch(of: /[a-z0-9][a-z0-9-]{0,39}/) != nil else {
                    let error = EpitopeError(
                        .configurationInvalid, "the name '\(entry.prefix(80))' in '\(objects.joined(separator: "."))' can't be used",
                        remedy: "use lower-case letters, digits and hyphens, at most 40, and begin with a letter or a digit")
                    found.append(SettingsProblem(error, at: value.place))
                    return nil
                }
                guard case .mapping = value.content else {
                    let error = EpitopeError(
                        .configurationInvalid, "'\((objects + [entry]).joined(separator: "."))' is \(value.kind), and not keys with values",
                        remedy: "give its keys with their values below the name")
                    found.append(SettingsProblem(error, at: value.place))
                    return nil
                }
                return Self.readAny(type, from: value, objects: objects + [entry], problems: &found)
            })
        problems = found
        return found.count == before ? table : nil
    }

    /// Entries of a table.
    private static let maxEntries = 64

    private static func readAny<Group: SettingsGroup>(
        _ type: Group.Type, from node: SettingsNode, objects: [String], problems: inout [SettingsProblem]
    ) -> any SettingsGroup {
        read(type, from: node, objects: objects, problems: &problems)
    }

    private mutating func choice<Choice: CaseIterable>(_ type: Choice.Type, _ node: SettingsNode, _ name: String) -> Choice? {
        let words = ConfigurationFile.words(of: type)
        guard case .text(let word) = node.content else {
            refuse(name, "is \(node.kind), and not one of its values", "use one of: \(words.joined(separator: ", "))")
            return nil
        }
        if let found = type.allCases.first(where: { ($0 as? any RawRepresentable)?.rawValue as? String == word }) { return found }
        problems.append(
            SettingsProblem(ConfigurationFile.unknownWord(word, of: fullName(name), permitted: words), at: self.node[name]?.place))
        return nil
    }
}
