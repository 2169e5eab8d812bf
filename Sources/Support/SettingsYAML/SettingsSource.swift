// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import FileAccess
import Glibc
public import SettingsFiles

/// A settings file, and the folder of those that are read after it.
///
/// `FILE.d` beside the file, or a folder that is named, holds further files, `*.yaml`, `*.yml` and `*.json`. They are read in the order of
/// their names, by their bytes; what a later one sets stands. Objects are merged key by key, lists are replaced, and a key without a value
/// (or `null`) goes back to the default.
public struct SettingsSource: Hashable, Sendable {
    /// The settings file; `nil`: none.
    public var file: String?
    /// The folder of those that are read after it, which has to be there; `nil`: `FILE.d`, if there is one.
    public var folder: String?

    /// Of one file, in bytes.
    public static let maxBytes = 1 << 20
    /// Of a folder.
    public static let maxFiles = 256

    public init(file: String?, folder: String? = nil) {
        self.file = file
        self.folder = folder
    }

    /// What was read: a tree of nodes, each of which knows its file.
    public struct Contents: Sendable {
        public var root: SettingsNode
        /// The files, in the order in which they were read.
        public var files: [String] = []
        /// The folder of further files, whether or not it has some; `nil`: there is none.
        public var folder: String?
        public var problems: [SettingsProblem] = []
    }

    /// Reads everything, whatever is wrong with some of it.
    public func read() -> Contents {
        var contents = Contents(root: SettingsNode(.mapping([]), at: SettingsPlace(file: file ?? "", line: 1, column: 1)))
        var paths = file.map { [$0] } ?? []
        do throws(EpitopeError) {
            (contents.folder, paths) = (try folderInUse(), try paths + furtherFiles())
        } catch {
            contents.problems.append(SettingsProblem(error))
        }
        for path in paths {
            do throws(EpitopeError) {
                let node = try Self.node(of: path)
                contents.files.append(path)
                // A file whose top is no mapping takes nothing away from the others.
                guard case .mapping = node.content else {
                    contents.problems.append(Self.noMapping(node))
                    continue
                }
                contents.root = contents.root.merged(with: node)
            } catch {
                contents.problems.append(SettingsProblem(error))
            }
        }
        return contents
    }

    private static func noMapping(_ node: SettingsNode) -> SettingsProblem {
        SettingsProblem(
            EpitopeError(
                .configurationInvalid, "the settings are no keys with values", remedy: "write KEY: VALUE lines, or an object of JSON"),
            at: node.place)
    }

    private func folderInUse() throws(EpitopeError) -> String? {
        if let folder {
            guard Self.isFolder(folder) else {
                throw EpitopeError(
                    .configurationMissing,
                    "there is no folder \(folder) of settings that can be read",
                    remedy: "name a folder that exists and that the user who runs this may read, or leave the option out")
            }
            return folder
        }
        return file.map { $0 + ".d" }.flatMap { Self.isFolder($0) ? $0 : nil }
    }

    private static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    private func furtherFiles() throws(EpitopeError) -> [String] {
        guard let folder = try folderInUse() else { return [] }
        let names: [String]
        do throws(FileError) {
            names = try Folders.names(folder)
        } catch {
            throw EpitopeError(
                .configurationMissing, "the folder \(folder) of settings can't be read: \(error)",
                remedy: "let the user who runs this read it")
        }
        let further = names.filter { name in !name.hasPrefix(".") && [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) } }
            .sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
        guard further.count <= Self.maxFiles else {
            throw EpitopeError(
                .configurationInvalid, "the folder \(folder) has \(further.count) settings files",
                remedy: "keep to \(Self.maxFiles) of them")
        }
        return further.map { "\(folder)/\($0)" }
    }

    /// Reads one file: `*.json` as JSON, everything else as YAML, of which JSON is a part.
    private static func node(of path: String) throws(EpitopeError) -> SettingsNode {
        let bytes: [UInt8]
        do throws(FileError) {
            bytes = try FileDescriptor(path, O_RDONLY | O_NONBLOCK).readWhole(maxBytes: maxBytes)
        } catch .tooLong {
            throw EpitopeError(
                .configurationInvalid, "the settings file \(path) is larger than \(maxBytes >> 20) MiB",
                remedy: "name the file that has the settings")
        } catch {
            throw EpitopeError(
                .configurationMissing, "the settings file \(path) can't be read: \(error)",
                remedy: "name a file that exists and that the user who runs this may read")
        }
        return try node(of: bytes, path: path)
    }

    /// Reads the text of a settings file.
    ///
    /// - Parameter path: where it is from, for errors; by its end it is told whether it is JSON.
    /// - Throws: `configuration-invalid`.
    public static func node(of bytes: [UInt8], path: String) throws(EpitopeError) -> SettingsNode {
        if path.hasSuffix(".json") { return try ConfigurationFile.nodes(ofJSON: bytes, path: path) }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw EpitopeError(
                .configurationInvalid, "the settings file \(path) can't be used: it isn't text in UTF-8",
                remedy: "save it as UTF-8")
        }
        do throws(YAMLReader.Fault) {
            return try YAMLReader.read(text, file: path)
        } catch {
            throw EpitopeError(
                .configurationInvalid,
                "the settings file \(path) can't be used: it isn't YAML: line \(error.line), column \(error.column): \(error.what)",
                remedy: error.remedy ?? "correct the file; every key may be left out")
        }
    }
}
