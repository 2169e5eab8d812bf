// SPDX-License-Identifier: Apache-2.0

/// Where something stands in a settings file.
public struct SettingsPlace: Hashable, Sendable, CustomStringConvertible {
    /// The file's path, as it was named.
    public var file: String
    /// From 1.
    public var line: Int
    /// From 1, in characters (Unicode scalars).
    public var column: Int

    public init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }

    public var description: String { "\(file), line \(line), column \(column)" }
}

/// A value of a settings file, with its place: what JSON and YAML have in common.
public struct SettingsNode: Hashable, Sendable {
    /// What a value can be.
    public enum Content: Hashable, Sendable {
        /// Nothing: as if the key were left out.
        case null
        case flag(Bool)
        /// As it is written.
        case number(String)
        case text(String)
        case list([SettingsNode])
        case mapping([Entry])
    }

    /// A key with its value.
    public struct Entry: Hashable, Sendable {
        public var key: String
        /// Of the key.
        public var place: SettingsPlace
        public var value: SettingsNode

        public init(key: String, place: SettingsPlace, value: SettingsNode) {
            self.key = key
            self.place = place
            self.value = value
        }
    }

    public var content: Content
    public var place: SettingsPlace

    public init(_ content: Content, at place: SettingsPlace) {
        self.content = content
        self.place = place
    }

    /// Whether the key is as if it were left out.
    public var isNull: Bool { content == .null }

    /// The keys of a mapping, with their values; of what is none, there are none.
    public var entries: [Entry] {
        guard case .mapping(let entries) = content else { return [] }
        return entries
    }

    /// The entry of a key.
    public subscript(_ key: String) -> Entry? { entries.first { $0.key == key } }

    /// What stands at a path such as `["suricata", "action"]`, or `["captures", "[2]"]`: the place of its key, or of the item of a list.
    public func place(of path: some Collection<String>) -> SettingsPlace? {
        guard let first = path.first else { return place }
        let rest = path.dropFirst()
        if case .list(let items) = content, let index = Int(first.dropFirst().dropLast()), items.indices.contains(index) {
            return items[index].place(of: rest)
        }
        guard let entry = self[first] else { return nil }
        return rest.isEmpty ? entry.place : entry.value.place(of: rest) ?? entry.place
    }

    /// What holds when another file is read after this one: mappings are merged key by key, of anything else the later one stands.
    public func merged(with later: SettingsNode) -> SettingsNode {
        guard case .mapping(var entries) = content, case .mapping(let others) = later.content else { return later }
        for other in others {
            guard let index = entries.firstIndex(where: { $0.key == other.key }) else {
                entries.append(other)
                continue
            }
            // A mapping that both have a part of is where the first of them begins it.
            let isShared = !entries[index].value.entries.isEmpty && !other.value.entries.isEmpty
            entries[index] = Entry(
                key: other.key, place: isShared ? entries[index].place : other.place, value: entries[index].value.merged(with: other.value))
        }
        return SettingsNode(.mapping(entries), at: place)
    }

    /// What it is, for a person.
    var kind: String {
        switch content {
        case .null: "nothing"
        case .flag: "true or false"
        case .number(let text): "the number \(text)"
        case .text(let text): "the text '\(text.prefix(80))'"
        case .list: "a list"
        case .mapping: "an object"
        }
    }
}
