// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Rendering

/// What a delivery left in the rules file and in Suricata. Both are others' to change: the file may be emptied, replaced or put
/// back from a backup, and Suricata be made to load it, without a word to the center.
struct InstalledRules: Hashable, Sendable {
    /// The texts of the rules in the file.
    var lines: Set<String>
    /// How many rules Suricata had loaded, other files' too; `nil`: not known, and at least these.
    var rulesLoaded: Int?

    init(lines: Set<String>, rulesLoaded: Int? = nil) {
        self.lines = lines
        self.rulesLoaded = rulesLoaded
    }

    /// What is no longer as it was left, for a person; `nil`: nothing.
    ///
    /// - Parameters:
    ///   - text: the rules file now; `nil`: there is none.
    ///   - loaded: how many rules Suricata has loaded now; `nil`: it doesn't answer. It loads the file when it starts.
    func difference(file text: String?, loaded: Int?) -> String? {
        guard let text else { return lines.isEmpty ? nil : "the rules file is gone" }
        let found = Set(RulesFileText.rules(in: text).map(\.text))
        let (missing, more) = (lines.subtracting(found).count, found.subtracting(lines).count)
        guard missing == 0, more == 0 else {
            return "\(missing) of \(lines.count) rules are missing in the rules file, and \(more) are there that should not be"
        }
        guard let loaded, loaded < max(rulesLoaded ?? 0, lines.count) else { return nil }
        return "Suricata has \(loaded) rules loaded, not \(max(rulesLoaded ?? 0, lines.count))"
    }
}
