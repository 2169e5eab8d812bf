public import EpitopeModel
internal import FoundationEssentials

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
}
