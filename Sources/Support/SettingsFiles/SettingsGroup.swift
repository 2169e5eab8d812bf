// SPDX-License-Identifier: Apache-2.0

/// Settings of which every key may be left out. A conforming type names each of its settings once, in ``visit(_:)``, and is read and
/// written by that:
///
///     mutating func visit(_ visitor: inout some SettingsVisitor) throws {
///         try visitor.setting("keepDays", &keepDays, in: 1...36500)
///     }
///
/// An object in the settings is a setting whose type is such a group. What a setting can be: a flag, a number, a text, a list of texts,
/// one of the words of an enumeration, or a group.
public protocol SettingsGroup: Encodable {
    /// The defaults.
    init()

    /// Visits every setting.
    mutating func visit(_ visitor: inout some SettingsVisitor) throws

    /// What is wrong with settings that were read, each by itself or beside others.
    var faults: [SettingFault] { get }

    /// The settings that a program takes over while it runs; the others need a restart.
    static var liveKeys: Set<String> { get }
}

/// Reads, lists or writes settings under their names.
public protocol SettingsVisitor {
    mutating func setting<Value: Encodable>(_ name: String, _ value: inout Value) throws
    mutating func setting<Value: Encodable>(_ name: String, _ value: inout Value?) throws
    mutating func setting(_ name: String, _ value: inout Int, in bounds: ClosedRange<Int>) throws
    mutating func setting(_ name: String, _ value: inout Double, in bounds: ClosedRange<Double>) throws
}

extension SettingsGroup {
    public var faults: [SettingFault] { [] }

    public static var liveKeys: Set<String> { [] }

    public func encode(to encoder: any Encoder) throws {
        var writer = SettingsWriter(container: encoder.container(keyedBy: SettingName.self))
        var settings = self
        try settings.visit(&writer)
    }
}

private struct SettingName: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }

    init(_ name: String) { stringValue = name }

    init(stringValue: String) { self.init(stringValue) }

    init?(intValue: Int) { nil }
}

private struct SettingsWriter: SettingsVisitor {
    var container: KeyedEncodingContainer<SettingName>

    mutating func setting<Value: Encodable>(_ name: String, _ value: inout Value) throws {
        try container.encode(value, forKey: SettingName(name))
    }

    mutating func setting<Value: Encodable>(_ name: String, _ value: inout Value?) throws {
        try container.encodeIfPresent(value, forKey: SettingName(name))
    }

    mutating func setting(_ name: String, _ value: inout Int, in bounds: ClosedRange<Int>) throws { try setting(name, &value) }

    mutating func setting(_ name: String, _ value: inout Double, in bounds: ClosedRange<Double>) throws { try setting(name, &value) }
}
