public import EpitopeModel
internal import FoundationEssentials
public import SignatureProving

extension EpitopeError.Code {
    /// A settings file can't be read.
    public static let configurationMissing = EpitopeError.Code("configuration-missing")
    /// A settings file holds what is no setting, or a value out of its bounds.
    public static let configurationInvalid = EpitopeError.Code("configuration-invalid")
}

/// Settings files of the centers: JSON.
public enum ConfigurationFile {
    /// - Throws: `configuration-missing`, `configuration-invalid`.
    public static func load<Settings: Decodable>(_ type: Settings.Type, path: String) throws(EpitopeError) -> Settings {
        let data: Data
        do {
            data = try Data(contentsOf: URL(filePath: path))
        } catch {
            throw EpitopeError(
                .configurationMissing, "the settings file \(path) can't be read",
                remedy: "give the center's user the right to read it, or name another")
        }
        do {
            return try JSONDecoder().decode(type, from: data)
        } catch let error as EpitopeError {
            throw EpitopeError(error.code, "in \(path): \(error.message)", remedy: error.remedy)
        } catch {
            throw EpitopeError(
                .configurationInvalid, "the settings file \(path) can't be used: \(error)",
                remedy: "correct the file; every key may be left out")
        }
    }

    /// A misspelt setting that is passed over would leave a center other than its owner thinks.
    ///
    /// - Throws: `configuration-invalid` when the object has a key that is not known.
    public static func refuseUnknown(in decoder: any Decoder, known: [String]) throws {
        let keys = try decoder.container(keyedBy: AnyKey.self).allKeys.map(\.stringValue)
        guard let stranger = keys.sorted().first(where: { !known.contains($0) }) else { return }
        throw EpitopeError(
            .configurationInvalid, "the setting '\(stranger)' is not known",
            remedy: "use: \(known.sorted().joined(separator: ", "))")
    }

    /// - Throws: `configuration-invalid` when what a center proves signatures with is out of its bounds.
    public static func check(_ proving: ProvingSettings) throws(EpitopeError) {
        guard !proving.isSound else { return }
        throw EpitopeError(
            .configurationInvalid,
            "what signatures are proven with is out of its bounds: noiseShare is \(proving.noiseShare), or a path is empty",
            remedy: "set noiseShare to 0 to \(ProvingMaterial.largestNoiseShare), and leave out keys for which you have no path")
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
