// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// Two reports with the same key are of the same call made again, or of the same call seen by two backends.
struct ReportKey: Hashable, Sendable {
    var thread: Int32
    var callersAddress: UInt64
    var kind: CriticalCall
}
