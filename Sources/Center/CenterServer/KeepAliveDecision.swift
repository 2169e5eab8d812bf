// SPDX-License-Identifier: Apache-2.0

import CenterMetrics
import SecureChannel

extension KeepAliveAdvice {
    /// What a host is told beside so many others: to stay as long as a quarter of the places is left for those that have something to
    /// send, and to look in every quarter of an hour beyond that. The fuller it is, the less often those that stay ask.
    ///
    /// - Parameter use: who is connected, this host among the identified.
    init(beside use: ConnectionUse) {
        if use.identified > use.places / 4 * 3 {
            self.init(keepOpen: false, againSeconds: 900)
        } else {
            self.init(keepOpen: true, againSeconds: use.identified > use.places / 4 ? 90 : 30)
        }
    }
}
