// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// A setting as it is in force.
public struct ListedSetting: Hashable, Sendable {
    /// With the objects that it is in, such as `suricata.action`.
    public var name: String
    /// As JSON, which is YAML, too; `nil`: there is none.
    public var value: String?
    /// Where it was set; `nil`: nowhere, it is the default.
    public var place: SettingsPlace?
    /// Whether a program takes it over while it runs.
    public var isLive: Bool
}

extension SettingsGroup {
    /// Every setting with its value, in the order of the reference. Of a group that there is none of, one line.
    ///
    /// - Parameter root: what was read; `nil`: nothing.
    public func list(from root: SettingsNode? = nil) -> [ListedSetting] {
        var lister = SettingsLister(node: root, objects: [], live: Self.liveKeys)
        var settings = self
        // It throws nothing.
        try? settings.visit(&lister)
        return lister.found
    }

    /// The settings that hold once those were taken over that can be while a program runs.
    public func takingLive(from new: Self) -> Self {
        var (result, taker) = (self, LiveTaker(live: Self.liveKeys))
        var source = new
        try? source.visit(&taker)
        taker.isTaking = true
        try? result.visit(&taker)
        return result
    }
}

private struct SettingsLister: SettingsVisitor {
    let node: SettingsNode?
    let objects: [String]
    let live: Set<String>
    var found: [ListedSetting] = []

    mutating func setting<Value: Encodable>(_ name: String, _ value: inout Value) throws { add(name, value) }

    mutating func setting<Value: Encodable>(_ name: String, _ value: inout Value?) throws { add(name, value) }

    mutating func setting(_ name: String, _ value: inout Int, in bounds: ClosedRange<Int>) throws { add(name, value) }

    mutating func setting(_ name: String, _ value: inout Double, in bounds: ClosedRange<Double>) throws { add(name, value) }

    private mutating func add(_ name: String, _ value: (any Encodable)?) {
        let entry = node?[name].flatMap { $0.value.isNull ? nil : $0 }
        if let group = value as? any SettingsGroup { return add(group, name, entry?.value) }
        if let table = value as? any AnySettingsTable, !table.entries.isEmpty {
            for part in table.entries { add(part.group, "\(name).\(part.name)", entry?.value[part.name]?.value) }
            return
        }
        let text = value.flatMap { value -> String? in
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
            return (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) }
        }
        found.append(
            ListedSetting(
                name: (objects + [name]).joined(separator: "."), value: text, place: entry?.place,
                isLive: live.contains(name)))
    }

    private mutating func add<Group: SettingsGroup>(_ group: Group, _ name: String, _ node: SettingsNode?) {
        var lister = SettingsLister(node: node, objects: objects + [name], live: Group.liveKeys)
        var group = group
        try? group.visit(&lister)
        found += lister.found
    }
}

/// Takes the live settings of one group, and puts them into another of the same type.
private struct LiveTaker: SettingsVisitor {
    let live: Set<String>
    var values: [String: Any] = [:]
    var isTaking = false

    mutating func setting<Value: Encodable>(_ name: String, _ value: inout Value) throws {
        guard live.contains(name) else { return }
        guard isTaking else { return values[name] = value }
        if let new = values[name] as? Value { value = new }
    }

    mutating func setting<Value: Encodable>(_ name: String, _ value: inout Value?) throws {
        guard live.contains(name) else { return }
        guard isTaking else { return values[name] = value }
        value = values[name] as? Value
    }

    mutating func setting(_ name: String, _ value: inout Int, in bounds: ClosedRange<Int>) throws { try setting(name, &value) }

    mutating func setting(_ name: String, _ value: inout Double, in bounds: ClosedRange<Double>) throws { try setting(name, &value) }
}
