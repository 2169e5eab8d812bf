// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

extension EpitopeError.Code {
    /// A file of signatures or rules can't be read.
    static let rulesUnreadable = EpitopeError.Code("rules-unreadable")
    /// A file holds neither signatures as JSON nor rules that Epitope writes.
    static let rulesMalformed = EpitopeError.Code("rules-malformed")
    /// A folder or file that is to be searched isn't there.
    static let searchPathMissing = EpitopeError.Code("search-path-missing")
}
