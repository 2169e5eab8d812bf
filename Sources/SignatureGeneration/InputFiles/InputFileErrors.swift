// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension EpitopeError.Code {
    /// A file is not a core dump of a known architecture, or its headers contradict each other.
    public static let coreMalformed = EpitopeError.Code("core-malformed")
}
