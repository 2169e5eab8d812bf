// SPDX-License-Identifier: Apache-2.0

/// Groups of settings under names that whoever writes the file chooses:
///
///     destinations:
///       soc:
///         kind: webhook
public struct SettingsTable<Group: SettingsGroup & Hashable & Sendable>: Hashable, Sendable, Encodable {
    /// By name.
    public var groups: [String: Group]

    public init(_ groups: [String: Group] = [:]) { self.groups = groups }

    /// The names, in their order.
    public var names: [String] { groups.keys.sorted() }

    public func encode(to encoder: any Encoder) throws { try groups.encode(to: encoder) }
}

/// What the reader and the lister know of a table whatever its groups are.
protocol AnySettingsTable {
    static func read(_ node: SettingsNode, _ group: GroupReading) -> Self
    var entries: [(name: String, group: any SettingsGroup)] { get }
}

/// Reads one group of a table.
struct GroupReading {
    var read: (any SettingsGroup.Type, SettingsNode, _ name: String) -> (any SettingsGroup)?
}

extension SettingsTable: AnySettingsTable {
    static func read(_ node: SettingsNode, _ group: GroupReading) -> SettingsTable {
        SettingsTable(
            Dictionary(
                node.entries.compactMap { entry in (group.read(Group.self, entry.value, entry.key) as? Group).map { (entry.key, $0) } }
            ) { first, _ in first })
    }

    var entries: [(name: String, group: any SettingsGroup)] { names.compactMap { name in groups[name].map { (name, $0) } } }
}

/// A text that may hold a secret, such as the address of a chat's webhook: nothing that lists settings shows more of it than the
/// machine that it names.
public struct ConfidentialText: Hashable, Sendable, Encodable, CustomStringConvertible {
    /// In full.
    public let text: String

    public init(_ text: String) { self.text = text }

    /// Scheme and machine of an address; of another text nothing.
    public var description: String {
        guard let scheme = text.firstRange(of: "://") else { return "..." }
        let authority = text[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        return "\(text[..<scheme.upperBound])\(authority.split(separator: "@").last ?? "")/..."
    }

    public func encode(to encoder: any Encoder) throws { try description.encode(to: encoder) }
}
