// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import FoundationEssentials

/// Settings files in JSON, and what all settings files have in common.
public enum ConfigurationFile {
    /// Reads JSON to nodes.
    ///
    /// - Parameter path: where the text came from, for errors.
    /// - Throws: `configuration-invalid`.
    public static func nodes(ofJSON text: [UInt8], path: String) throws(EpitopeError) -> SettingsNode {
        do throws(JSONReader.Fault) {
            return try JSONReader.read(text, file: path)
        } catch {
            throw EpitopeError(
                .configurationInvalid, "the settings file \(path) can't be used: it isn't JSON: \(error)",
                remedy: "correct the file; every key may be left out")
        }
    }

    /// Reads the settings of a type that decodes itself from JSON.
    ///
    /// - Parameter path: where the text came from, for errors.
    /// - Throws: `configuration-invalid`, or what the settings themselves throw as an ``EpitopeError`` or a ``SettingsProblemAt``.
    public static func decode<Settings: Decodable>(
        _ type: Settings.Type, from data: Data, path: String
    ) throws(EpitopeError) -> Settings {
        let root = try nodes(ofJSON: Array(data), path: path)
        do {
            return try JSONDecoder().decode(type, from: data)
        } catch let problem as SettingsProblemAt {
            throw SettingsProblem(problem.error, at: root.place(of: problem.path)).located
        } catch let error as EpitopeError {
            throw EpitopeError(error.code, "in \(path): \(error.message)", remedy: error.remedy)
        } catch {
            throw explained(error, in: root, path: path)
        }
    }

    /// A value that is one of a few words.
    ///
    /// - Throws: `configuration-invalid`, with the words, for another one.
    public static func choice<Value: RawRepresentable & CaseIterable, Key: CodingKey>(
        _ type: Value.Type, in container: KeyedDecodingContainer<Key>, forKey key: Key
    ) throws -> Value? where Value.RawValue == String {
        guard let word = try container.decodeIfPresent(String.self, forKey: key) else { return nil }
        guard let value = Value(rawValue: word) else {
            let path = container.codingPath + [key]
            throw SettingsProblemAt(path, unknownWord(word, of: name(path), permitted: Value.allCases.map(\.rawValue)))
        }
        return value
    }

    /// The words that a type of settings permits; empty for a type that isn't a choice of words.
    static func words(of type: Any.Type) -> [String] {
        func words<Choice: CaseIterable>(_ type: Choice.Type) -> [String] {
            type.allCases.compactMap { ($0 as? any RawRepresentable)?.rawValue as? String }
        }
        return (type as? any CaseIterable.Type).map { words($0) } ?? []
    }

    static func unknownWord(_ word: String, of setting: String, permitted: [String]) -> EpitopeError {
        let meant = SimilarWord.similar(to: word, among: permitted).map { "; did you mean '\($0)'?" } ?? ""
        return EpitopeError(
            .configurationInvalid, "the setting '\(setting)' is '\(word.prefix(80))', which is not one of its values\(meant)",
            remedy: "use one of: \(permitted.joined(separator: ", "))")
    }

    static func unknownKey(_ key: String, in objects: String, known: [String]) -> EpitopeError {
        let meant = SimilarWord.similar(to: key, among: known).map { "; did you mean '\($0)'?" } ?? ""
        // A file that was named by mistake, or by a link to one that only the center may read, is not repeated to whoever sees the message.
        let isWord = key.utf8.count <= 80 && key.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_-.".contains($0)) }
        let name =
            isWord ? "the setting '\(objects.isEmpty ? "" : objects + ".")\(key)'" : "what stands here in the place of a setting's name"
        return EpitopeError(
            .configurationInvalid, "\(name) is not known\(meant)",
            remedy: "use: \(known.sorted().joined(separator: ", "))")
    }

    /// A misspelt setting that is passed over would leave a program other than its owner thinks.
    ///
    /// - Throws: `configuration-invalid` when the object has a key that is not known.
    public static func refuseUnknown(in decoder: any Decoder, known: [String]) throws {
        let keys = try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue)
        guard let unknown = keys.sorted().first(where: { !known.contains($0) }) else { return }
        throw SettingsProblemAt(
            decoder.codingPath + [AnyKey(unknown)], unknownKey(unknown, in: name(decoder.codingPath), known: known))
    }

    /// Where in the file, and what, instead of the decoder's own long description.
    private static func explained(_ error: any Error, in root: SettingsNode, path: String) -> EpitopeError {
        guard let error = error as? DecodingError else {
            return EpitopeError(
                .configurationInvalid, "the settings file \(path) can't be used: \(error)",
                remedy: "correct the file; every key may be left out")
        }
        let context: DecodingError.Context
        var what: String
        switch error {
        case .keyNotFound(let key, let found):
            context = found
            what = "the key '\(key.stringValue)' is missing"
        case .typeMismatch(_, let found), .valueNotFound(_, let found), .dataCorrupted(let found):
            context = found
            what = found.debugDescription
        @unknown default:
            return EpitopeError(
                .configurationInvalid, "the settings file \(path) can't be used: \(error)",
                remedy: "correct the file; every key may be left out")
        }
        what = "at \(context.codingPath.isEmpty ? "its top" : name(context.codingPath)): \(what)"
        return SettingsProblem(
            EpitopeError(.configurationInvalid, what, remedy: "correct the file; every key may be left out"),
            at: root.place(of: SettingsProblemAt.steps(context.codingPath)) ?? root.place
        ).located
    }

    /// A setting with the objects that it is in, such as `suricata.action`.
    static func name(_ keys: [any CodingKey]) -> String {
        let text = keys.map { $0.intValue.map { "[\($0)]" } ?? ".\($0.stringValue)" }.joined()
        return String(text.drop { $0 == "." })
    }

    private struct AnyKey: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }

        init(_ name: String) { stringValue = name }

        init?(stringValue: String) { self.init(stringValue) }

        init?(intValue: Int) { nil }
    }
}

/// What a type that decodes itself says is wrong, with the keys that lead to it.
public struct SettingsProblemAt: Error {
    let path: [String]
    public let error: EpitopeError

    public init(_ keys: [any CodingKey], _ error: EpitopeError) {
        path = Self.steps(keys)
        self.error = error
    }

    static func steps(_ keys: [any CodingKey]) -> [String] { keys.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue } }
}
