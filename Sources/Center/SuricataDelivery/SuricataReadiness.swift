// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Glibc

/// What would keep rules from going live, as far as that can be seen without a rule: looked at when a center starts, so that it isn't
/// the first attack that shows it. It blocks its thread.
struct SuricataReadiness {
    let settings: SuricataSettings

    /// For a person; empty: nothing.
    func problems() -> [EpitopeError] {
        [fileProblem(), suricataProblem()].compactMap(\.self)
    }

    private func fileProblem() -> EpitopeError? {
        let file = RulesFile(path: settings.rulesFile)
        do throws(EpitopeError) {
            _ = try file.readOwn(settings)
            try file.requireWritableFolder()
            return nil
        } catch {
            return error
        }
    }

    private func suricataProblem() -> EpitopeError? {
        do throws(EpitopeError) {
            let isListed = try RuleFileList(SuricataControl(settings)).contains(settings.rulesFile)
            guard !isListed else { return nil }
            return RulesetTransaction.notLoaded(
                settings.rulesFile, "\(RulesetTransaction.unlisted), unless it knows the file by another path")
        } catch {
            return error
        }
    }
}
