// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import FoundationEssentials

/// Settings files: JSON.
public enum ConfigurationFile {
    /// - Throws: `configuration-missing`, `configuration-invalid`.
    public static func load<Settings: Decodable>(_ type: Settings.Type, path: String) throws(EpitopeError) -> Settings {
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: path))
        } catch {
            throw EpitopeError(
                .configurationMissing, "the settings file \(path) can't be read",
                remedy: "name a file that exists and that the user who runs this may read")
        }
        return try decode(type, from: data, path: path)
    }

    /// - Parameter path: where the text came from, for errors.
    /// - Throws: `configuration-invalid`, or what the settings themselves throw.
    public static func decode<Settings: Decodable>(
        _ type: Settings.Type, from data: Data, path: String
    ) throws(EpitopeError) -> Settings {
        do {
            return try JSONDecoder().decode(type, from: data)
        } catch let error as EpitopeError {
            throw EpitopeError(error.code, "in \(path): \(error.message)", remedy: error.remedy)
        } catch {
            let why = JSONSyntax.fault(in: Array(data)).map { "it isn't JSON: \($0)" } ?? explained(error)
            throw EpitopeError(
                .configurationInvalid, "the settings file \(path) can't be used: \(why)",
                remedy: "correct the file; every key may be left out")
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
            throw unknownWord(word, of: name(key.stringValue, in: container.codingPath), permitted: Value.allCases.map(\.rawValue))
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
        EpitopeError(
            .configurationInvalid, "the setting '\(setting)' is '\(word)', which is not one of its values",
            remedy: "use one of: \(permitted.joined(separator: ", "))")
    }

    /// A misspelt setting that is passed over would leave a program other than its owner thinks.
    ///
    /// - Throws: `configuration-invalid` when the object has a key that is not known.
    public static func refuseUnknown(in decoder: any Decoder, known: [String]) throws {
        let keys = try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue)
        guard let unknown = keys.sorted().first(where: { !known.contains($0) }) else { return }
        let stranger = name(unknown, in: decoder.codingPath)
        throw EpitopeError(
            .configurationInvalid, "the setting '\(stranger)' is not known",
            remedy: "use: \(known.sorted().joined(separator: ", "))")
    }

    /// Where in the file, and what, instead of the decoder's own long description.
    private static func explained(_ error: any Error) -> String {
        guard let error = error as? DecodingError else { return "\(error)" }
        let context: DecodingError.Context
        switch error {
        case .dataCorrupted(let found): context = found
        case .keyNotFound(let key, let found):
            return "at \(place(found)) the key '\(key.stringValue)' is missing"
        case .typeMismatch(_, let found), .valueNotFound(_, let found): context = found
        @unknown default: return "\(error)"
        }
        return "at \(place(context)): \(context.debugDescription)"
    }

    private static func place(_ context: DecodingError.Context) -> String {
        context.codingPath.isEmpty ? "its top" : path(context.codingPath)
    }

    /// A setting with the objects that it is in, such as `suricata.action`.
    static func name(_ setting: String, in objects: [any CodingKey]) -> String {
        objects.isEmpty ? setting : "\(path(objects)).\(setting)"
    }

    private static func path(_ keys: [any CodingKey]) -> String {
        let text = keys.map { $0.intValue.map { "[\($0)]" } ?? ".\($0.stringValue)" }.joined()
        return String(text.drop { $0 == "." })
    }

    private struct AnyKey: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) {
            self.stringValue = stringValue
        }

        init?(intValue: Int) {
            nil
        }
    }
}
