// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension EpitopeError.Code {
    /// There is no Suricata: no command socket where it should be, or no program.
    public static let suricataAbsent = EpitopeError.Code("suricata-absent")
    /// Its command socket is there, and nobody listens on it.
    public static let suricataStopped = EpitopeError.Code("suricata-stopped")
    /// It answered no, with the reason in the message.
    public static let suricataRefused = EpitopeError.Code("suricata-refused")
    /// It can't reload rules at all: it was started with `-s` or `-S`.
    public static let suricataReloadRefused = EpitopeError.Code("suricata-reload-refused")
    /// It did not answer in time.
    public static let suricataTimeout = EpitopeError.Code("suricata-timeout")
    /// It reloads its rules, and the file with ours is not among them.
    public static let suricataRulesFileNotLoaded = EpitopeError.Code("suricata-rules-file-not-loaded")
    /// The folder of the rules file is missing, or can't be written to.
    public static let rulesFolderUnwritable = EpitopeError.Code("rules-folder-unwritable")
}
