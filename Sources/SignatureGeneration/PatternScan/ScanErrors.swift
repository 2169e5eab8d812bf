// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension EpitopeError.Code {
    /// A signature can't be searched for: it has no fixed byte, or an impossible gap.
    public static let scannerUnbuildable = EpitopeError.Code("scanner-unbuildable")
    /// Hyperscan failed in the middle of data.
    public static let scanFailed = EpitopeError.Code("scan-failed")
}
