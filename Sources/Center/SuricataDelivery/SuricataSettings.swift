// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
public import Rendering
public import SettingsFiles
import Signatures

/// Where the site's Suricata is, and how the center talks to it. The defaults are those of Debian's package.
public struct SuricataSettings: Hashable, Sendable, SettingsGroup {
    /// Its command socket (`unix-command` in suricata.yaml).
    public var socketPath: String
    /// The file that holds all of Epitope's rules; it must be among `rule-files` in suricata.yaml.
    public var rulesFile: String
    /// The program, for testing rules (`suricata -T`) before they are delivered.
    public var binaryPath: String
    /// What a rule does: alert, or drop where Suricata is inline.
    public var action: SuricataRule.Action
    /// The configuration that rules are tested with; without it a minimal one, which takes some 40 ms.
    public var configurationFile: String?
    /// How long a command or a test may take, in seconds.
    public var commandTimeout: Double
    /// How long a reload may take, one that is already in progress included, in seconds. 30,000 rules take 11 s.
    public var reloadTimeout: Double
    /// Names the center in the rules file, so that no other writes over it; not a setting. `nil`: it isn't named.
    public var owner: String?
    /// Names that the center had before: a file with one of these is its own, too.
    public var formerOwners: [String] = []

    public init(
        socketPath: String = "/run/suricata-command.socket", rulesFile: String = "/etc/suricata/rules/epitope.rules",
        binaryPath: String = "/usr/bin/suricata", action: SuricataRule.Action = .alert, configurationFile: String? = nil,
        commandTimeout: Double = 10, reloadTimeout: Double = 120
    ) {
        self.socketPath = socketPath
        self.rulesFile = rulesFile
        self.binaryPath = binaryPath
        self.action = action
        self.configurationFile = configurationFile
        self.commandTimeout = commandTimeout
        self.reloadTimeout = reloadTimeout
    }

    /// All defaults.
    public init() { self.init(action: .alert) }

    /// What the rule of an update does: never more than the update's proof allows.
    func action(for update: SignatureUpdate) -> SuricataRule.Action { update.mayDrop ? action : .alert }

    public mutating func visit(_ visitor: inout some SettingsVisitor) throws {
        try visitor.setting("socket", &socketPath)
        try visitor.setting("rulesFile", &rulesFile)
        try visitor.setting("binaryPath", &binaryPath)
        try visitor.setting("action", &action)
        try visitor.setting("configurationFile", &configurationFile)
        try visitor.setting("commandTimeout", &commandTimeout, in: 0.1...3600)
        try visitor.setting("reloadTimeout", &reloadTimeout, in: 0.1...86400)
    }

    /// Paths that are not absolute: Suricata and the center have folders of their own.
    public var faults: [SettingFault] {
        let paths =
            [("socket", socketPath), ("rulesFile", rulesFile), ("binaryPath", binaryPath)]
            + (configurationFile.map { [("configurationFile", $0)] } ?? [])
        return paths.filter { !$0.1.hasPrefix("/") }.map { name, path in
            SettingFault(
                name,
                EpitopeError(
                    .configurationInvalid, "the setting 'suricata.\(name)' is '\(path)', which is no absolute path",
                    remedy: "give the whole path, from / on"))
        }
    }
}
