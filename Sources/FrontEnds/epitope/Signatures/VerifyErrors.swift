// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

extension EpitopeError.Code {
    /// A file of signatures or rules can't be read.
    static let rulesUnreadable = EpitopeError.Code("rules-unreadable")
    /// A file contains neither signatures as JSON nor rules that Epitope wrote.
    static let rulesMalformed = EpitopeError.Code("rules-malformed")
    /// A folder or file to search does not exist.
    static let searchPathMissing = EpitopeError.Code("search-path-missing")
}
