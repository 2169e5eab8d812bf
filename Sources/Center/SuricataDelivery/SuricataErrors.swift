// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension EpitopeError.Code {
    /// Suricata's command socket or its program does not exist.
    public static let suricataAbsent = EpitopeError.Code("suricata-absent")
    /// Suricata's command socket exists, but no program listens on it.
    public static let suricataStopped = EpitopeError.Code("suricata-stopped")
    /// Suricata refused a command or a rule; the message has the reason.
    public static let suricataRefused = EpitopeError.Code("suricata-refused")
    /// Suricata cannot reload rules: it was started with `-s` or `-S`.
    public static let suricataReloadRefused = EpitopeError.Code("suricata-reload-refused")
    /// Suricata did not answer in time.
    public static let suricataTimeout = EpitopeError.Code("suricata-timeout")
    /// Suricata reloads its rules, but not from Epitope's rules file.
    public static let suricataRulesFileNotLoaded = EpitopeError.Code("suricata-rules-file-not-loaded")
    /// The folder of the rules file is missing, or can't be written to.
    public static let rulesFolderUnwritable = EpitopeError.Code("rules-folder-unwritable")
    /// The rules file is another program's, or another center's: it is not overwritten.
    public static let rulesFileForeign = EpitopeError.Code("rules-file-foreign")
}
