// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Why a stalled process could not be inspected.
struct InspectionFailure: Error, Equatable, CustomStringConvertible {
    /// Positive.
    var errno: Int32
    /// What could not be read.
    var reading: String

    var description: String { "\(reading): \(String(cString: strerror(errno)))" }
}
