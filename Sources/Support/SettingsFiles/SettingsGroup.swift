// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// Settings in JSON, of which every key may be left out. A conforming type names each of its settings once, in
/// ``visit(_:)``, and is read and written by that:
///
///     mutating func visit(_ visitor: inout some SettingsVisitor) throws {
///         try visitor.setting("keepDays", &keepDays, in: 1...36500)
///     }
///
/// An object in the settings is a setting whose type is such a group.
public protocol SettingsGroup: Codable {
    /// The defaults.
    init()

    /// Visits every setting.
    mutating func visit(_ visitor: inout some SettingsVisitor) throws

    /// Checks settings that depend on each other, after they were read.
    func validate() throws(EpitopeError)
}

/// Reads or writes settings under their names.
public protocol SettingsVisitor {
    mutating func setting<Value: Codable>(_ name: String, _ value: inout Value) throws
    mutating func setting<Value: Codable>(_ name: String, _ value: inout Value?) throws

    /// - Throws: `configuration-invalid` when the value that was read is out of its bounds.
    mutating func setting(_ name: String, _ value: inout Int, in bounds: ClosedRange<Int>) throws

    /// - Throws: `configuration-invalid` when the value that was read is out of its bounds.
    mutating func setting(_ name: String, _ value: inout Double, in bounds: ClosedRange<Double>) throws
}

extension SettingsGroup {
    /// - Throws: `configuration-invalid` when a key is unknown, or a value is out of its bounds.
    public init(from decoder: any Decoder) throws {
        self.init()
        var reader = SettingsReader(container: try decoder.container(keyedBy: SettingName.self))
        try visit(&reader)
        try ConfigurationFile.refuseUnknown(in: decoder, known: reader.names)
        try validate()
    }

    public func encode(to encoder: any Encoder) throws {
        var writer = SettingsWriter(container: encoder.container(keyedBy: SettingName.self))
        var settings = self
        try settings.visit(&writer)
    }

    public func validate() throws(EpitopeError) {}
}

private struct SettingName: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }

    init(_ name: String) {
        stringValue = name
    }

    init(stringValue: String) {
        self.init(stringValue)
    }

    init?(intValue: Int) {
        nil
    }
}

private struct SettingsReader: SettingsVisitor {
    let container: KeyedDecodingContainer<SettingName>
    /// The settings that were visited.
    private(set) var names: [String] = []

    init(container: KeyedDecodingContainer<SettingName>) {
        self.container = container
    }

    mutating func setting<Value: Codable>(_ name: String, _ value: inout Value) throws {
        if let read = try read(Value.self, name) { value = read }
    }

    mutating func setting<Value: Codable>(_ name: String, _ value: inout Value?) throws {
        if let read = try read(Value.self, name) { value = read }
    }

    private mutating func read<Value: Codable>(_ type: Value.Type, _ name: String) throws -> Value? {
        names.append(name)
        let words = ConfigurationFile.words(of: type)
        if !words.isEmpty, let word = try? container.decodeIfPresent(String.self, forKey: SettingName(name)), !words.contains(word) {
            throw ConfigurationFile.unknownWord(word, of: ConfigurationFile.name(name, in: container.codingPath), permitted: words)
        }
        return try container.decodeIfPresent(type, forKey: SettingName(name))
    }

    mutating func setting(_ name: String, _ value: inout Int, in bounds: ClosedRange<Int>) throws {
        try setting(name, &value)
        try require(bounds.contains(value), name, "\(value)", "\(bounds.lowerBound) to \(bounds.upperBound)")
    }

    mutating func setting(_ name: String, _ value: inout Double, in bounds: ClosedRange<Double>) throws {
        try setting(name, &value)
        try require(bounds.contains(value), name, "\(value)", "\(bounds.lowerBound) to \(bounds.upperBound)")
    }

    private func require(_ isWithin: Bool, _ name: String, _ value: String, _ bounds: String) throws(EpitopeError) {
        guard !isWithin else { return }
        throw EpitopeError(
            .configurationInvalid, "the setting '\(ConfigurationFile.name(name, in: container.codingPath))' is \(value)",
            remedy: "set it to \(bounds)")
    }
}

private struct SettingsWriter: SettingsVisitor {
    var container: KeyedEncodingContainer<SettingName>

    mutating func setting<Value: Codable>(_ name: String, _ value: inout Value) throws {
        try container.encode(value, forKey: SettingName(name))
    }

    mutating func setting<Value: Codable>(_ name: String, _ value: inout Value?) throws {
        try container.encodeIfPresent(value, forKey: SettingName(name))
    }

    mutating func setting(_ name: String, _ value: inout Int, in bounds: ClosedRange<Int>) throws {
        try setting(name, &value)
    }

    mutating func setting(_ name: String, _ value: inout Double, in bounds: ClosedRange<Double>) throws {
        try setting(name, &value)
    }
}
