// SPDX-License-Identifier: Apache-2.0

public import ArgumentParser
import EpitopeModel
import FileAccess
import Foundation
import LocalCenter
public import Rendering
import SecureChannel
import SettingsYAML
import SuricataDelivery

/// Where a center's settings are: `--config`, `--config-folder`.
struct SettingsOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The settings, a file in YAML or JSON; the files in FILE.d beside it are read after it.", valueName: "file"))
    var config: String?

    @Option(help: ArgumentHelp("Read further settings from this folder, not from FILE.d.", valueName: "folder"))
    var configFolder: String?

    func validate() throws { try requirePaths([("--config", config), ("--config-folder", configFolder)]) }

    var source: SettingsSource { SettingsSource(file: config, folder: configFolder) }

    /// The folders in which settings are replaced, which a reload must be able to read. Not one that the key's folder is in: the key is kept
    /// from the process, and settings there can be changed in place alone.
    ///
    /// - Parameter keyDirectory: the key's folder.
    func folders(besides keyDirectory: String) -> [String] {
        let key = Self.resolved(keyDirectory)
        let folders = [config.map { Folders.parent(of: $0) }, configFolder ?? config.map { $0 + ".d" }].compactMap(\.self)
        // One that isn't there can only be made in its parent, which the process would have to read then.
        return folders.filter { folder in
            let isThere = (try? FileStatus(path: folder))?.kind == .folder
            return !(key + "/").hasPrefix(Self.resolved(isThere ? folder : Folders.parent(of: folder)) + "/")
        }
    }

    private static func resolved(_ path: String) -> String {
        URL(filePath: SuricataOptions.absolute(path)).resolvingSymlinksInPath().path
    }
}

/// Where Suricata is, over what the settings say: `--suricata-socket`, `--suricata-rules`, `--action`.
struct SuricataOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Suricata's command socket.", valueName: "path"))
    var suricataSocket: String?

    @Option(help: ArgumentHelp("The rules file that Epitope writes; Suricata's rule-files must name it.", valueName: "file"))
    var suricataRules: String?

    @Option(help: "The action of rules: alert, or drop if Suricata runs inline.")
    var action: SuricataRule.Action?

    func validate() throws {
        try requirePaths([("--suricata-socket", suricataSocket), ("--suricata-rules", suricataRules)])
    }

    /// Where the IDS is; `nil` if neither settings nor options name one.
    ///
    /// - Parameter authorities: of the center, which the rules file names.
    func applied(to configuration: LocalCenterConfiguration, of authorities: CenterAuthorities?) -> SuricataSettings? {
        guard configuration.suricata != nil || suricataSocket != nil || suricataRules != nil else { return nil }
        var settings = configuration.suricata ?? SuricataSettings()
        if let suricataSocket { settings.socketPath = Self.absolute(suricataSocket) }
        if let suricataRules { settings.rulesFile = Self.absolute(suricataRules) }
        if let action { settings.action = action }
        // Two centers on one machine must not take turns with one file.
        func name(_ authority: AuthorityCertificate) -> String { "authority \(Hex.encode(authority.fingerprint))" }
        settings.owner = authorities.map { name($0.current) }
        settings.formerOwners = (authorities?.former).map { [name($0.authority)] } ?? []
        return settings
    }

    /// The settings that options override, for a person.
    var overridden: [String] {
        [
            suricataSocket.map { "suricata.socket: \(Self.absolute($0))" },
            suricataRules.map { "suricata.rulesFile: \(Self.absolute($0))" },
            action.map { "suricata.action: \($0.rawValue)" },
        ].compactMap(\.self)
    }

    /// A path of the command line, for whoever has another working folder: Suricata, or a command beside this process.
    static func absolute(_ path: String) -> String {
        path.hasPrefix("/") ? path : "\(FileManager.default.currentDirectoryPath)/\(path)"
    }
}

extension SuricataRule.Action: ExpressibleByArgument {}
